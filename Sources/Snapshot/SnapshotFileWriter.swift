public import Bytes
public import Environment
import Table

/// Writes a snapshot's file: records in order, then `complete`, then `finish` with the cluster's signature. Blocking;
/// for one thread at a time. Its memory grows by a thousandth of the data, for the index.
public final class SnapshotFileWriter {
  private let table: TableWriter
  private var tree = RecordTree()
  private var statement: SnapshotStatement

  /// Large blocks, since the file is mostly read from end to end, and no filter, which would take memory for each key.
  private static let usualOptions = TableOptions(blockBytes: 32 << 10, restartInterval: 16, bloomBitsPerKey: 0)

  /// Creates the file. `statement` says all but what is counted here.
  public convenience init(disk: any Disk, path: String, statement: SnapshotStatement) throws(SnapshotError) {
    try self.init(disk: disk, path: path, statement: statement, options: Self.usualOptions)
  }

  /// The same with other options of the table; or, where `isResumed`, opens a file to be gone on with.
  init(
    disk: any Disk, path: String, statement: SnapshotStatement, options: TableOptions, isResumed: Bool = false
  ) throws(SnapshotError) {
    self.statement = statement
    table = try onTable { () throws(TableError) in
      try TableWriter(
        disk: disk, path: path, options: options, tier: Self.tier(of: statement), isResumed: isResumed)
    }
  }

  private static func tier(of statement: SnapshotStatement) -> Tier { statement.hasHistory ? .history : .current }

  /// The records so far.
  public var records: UInt64 { tree.records }
  /// The bytes of the file so far.
  public var fileBytes: UInt64 { table.fileBytes }

  /// Appends a record: by key, and with history the newest of a key first. Only with history it may have been replaced.
  public func add(_ span: Lifespan) throws(SnapshotError) {
    try span.record.withView { (view) throws(SnapshotError) in
      try onTable { () throws(TableError) in try add(view, to: span.to) }
    }
  }

  private func add(_ view: RecordView, to: Version) throws(TableError) {
    let reach = statement.hasHistory ? to.rawValue - view.version.rawValue : 0
    try table.add(RecordView(key: view.key, value: view.value, version: view.version, kind: view.kind, span: reach))
    tree.add(view, to: to)
  }

  /// What the file will say of itself, after its last record.
  public func complete() -> SnapshotStatement {
    statement.records = tree.records
    statement.dataBytes = tree.dataBytes
    statement.root = tree.root
    return statement
  }

  /// Writes what is left and makes the file durable; gives its size.
  public func finish(signature: [UInt8], certificate: [UInt8], authority: [UInt8]) throws(SnapshotError) -> UInt64 {
    let seal = SnapshotSeal(
      statement: statement.encoded(), signature: signature, certificate: certificate, authority: authority)
    return try onTable { () throws(TableError) in try table.finish(seal: seal).fileBytes }
  }
}

extension SnapshotFileWriter {
  /// Goes on with a file that an interrupted writer of the same statement left. Also gives the record behind which to go
  /// on, nil where that is the beginning. `progress` gets the offset up to which the file was read.
  ///
  /// Kept is what this writer would have written, up to the first block that is not whole, sound and in order, or holds a
  /// record of which the statement is not true; the rest is cut off.
  public static func resume(
    disk: any Disk, path: String, statement: SnapshotStatement, progress: (UInt64) -> Void = { _ in }
  ) throws(SnapshotError) -> (writer: SnapshotFileWriter, last: RecordPlace?) {
    try resume(disk: disk, path: path, statement: statement, options: usualOptions, progress: progress)
  }

  /// The same with other options of the table.
  static func resume(
    disk: any Disk, path: String, statement: SnapshotStatement, options: TableOptions,
    progress: (UInt64) -> Void = { _ in }
  ) throws(SnapshotError) -> (writer: SnapshotFileWriter, last: RecordPlace?) {
    let remnant = try onTable { () throws(TableError) in
      try TableRemnant(disk: disk, path: path, tier: tier(of: statement))
    }
    let writer = try SnapshotFileWriter(
      disk: disk, path: path, statement: statement, options: options, isResumed: true)
    let last = try onTable { () throws(TableError) in
      let last = try writer.take(remnant, progress)
      try writer.table.cut()
      return last
    }
    return (writer, last)
  }

  /// Adds the records of a file's blocks, as long as this writer's blocks lie where those do.
  private func take(_ remnant: TableRemnant, _ progress: (UInt64) -> Void) throws(TableError) -> RecordPlace? {
    var sequence = SnapshotSequence(statement)
    var last: RecordPlace?
    var isInStep = true
    while isInStep, try remnant.next(), try isTrue(of: remnant, &sequence) {
      try remnant.visit { (view) throws(TableError) in
        guard isInStep else { return }
        try add(view, to: end(of: view))
        last = RecordPlace(key: Key(Array(view.key)), version: view.version)
        isInStep = table.blockOffset == remnant.offset
      }
      progress(remnant.offset)
    }
    return last
  }

  private func isTrue(of remnant: TableRemnant, _ sequence: inout SnapshotSequence) throws(TableError) -> Bool {
    var isTrue = true
    try remnant.visit { view in
      if isTrue { isTrue = sequence.fault(in: view, to: end(of: view)) == nil }
    }
    return isTrue
  }

  private func end(of view: RecordView) -> Version { statement.hasHistory ? view.to : .max }
}

/// Where a record lies in the order of a snapshot's file.
public struct RecordPlace: Equatable, Sendable {
  /// The record's key.
  public let key: Key
  /// Its version.
  public let version: Version
}
