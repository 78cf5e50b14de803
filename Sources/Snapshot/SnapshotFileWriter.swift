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
  private static let options = TableOptions(blockBytes: 32 << 10, restartInterval: 16, bloomBitsPerKey: 0)

  /// Creates the file. `statement` says all but what is counted here.
  public init(disk: any Disk, path: String, statement: SnapshotStatement) throws(SnapshotError) {
    self.statement = statement
    table = try onTable { () throws(TableError) in
      try TableWriter(disk: disk, path: path, options: Self.options, tier: statement.hasHistory ? .history : .current)
    }
  }

  /// The records so far.
  public var records: UInt64 { tree.records }
  /// The bytes of the file so far.
  public var fileBytes: UInt64 { table.fileBytes }

  /// Appends a record: by key, and with history the newest of a key first. Only with history it may have been replaced.
  public func add(_ span: Lifespan) throws(SnapshotError) {
    try span.record.withView { (view) throws(SnapshotError) in
      let reach = statement.hasHistory ? span.to.rawValue - view.version.rawValue : 0
      try onTable { () throws(TableError) in
        try table.add(
          RecordView(key: view.key, value: view.value, version: view.version, kind: view.kind, span: reach))
      }
      tree.add(view, to: span.to)
    }
  }

  /// What the file will say of itself, after its last record.
  public func complete() throws(SnapshotError) -> SnapshotStatement {
    guard let root = tree.root else { throw .noDigest }
    statement.records = tree.records
    statement.dataBytes = tree.dataBytes
    statement.root = root
    return statement
  }

  /// Writes what is left and makes the file durable; gives its size.
  public func finish(signature: [UInt8], certificate: [UInt8], authority: [UInt8]) throws(SnapshotError) -> UInt64 {
    let seal = SnapshotSeal(
      statement: statement.encoded(), signature: signature, certificate: certificate, authority: authority)
    return try onTable { () throws(TableError) in try table.finish(seal: seal).fileBytes }
  }
}
