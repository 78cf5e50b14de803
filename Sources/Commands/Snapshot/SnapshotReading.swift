import Bytes
import Environment
import Snapshot

/// A snapshot's file in place of a cluster: what `--file` reads.
struct SnapshotReading {
  private let file: SnapshotFile
  private let version: Version

  /// Opens a file, to be read at a time that it shows: its own unless given.
  init(_ path: String, at time: TimeArgument?, _ global: GlobalOptions) throws(CommandError) {
    try SnapshotFiles.check(path)
    file = try onSnapshot { () throws(SnapshotError) in try SnapshotFile(disk: PosixDisk(), path: path) }
    let wanted = try time.map { (time) throws(CommandError) in
      try time.version(nowMilliseconds: ProcessFacts.wallMilliseconds)
    }
    version = try onSnapshot { [file] () throws(SnapshotError) in try file.version(for: wanted) }
    if let since = file.statement.since { global.say("\(path) holds only what changed after version \(since)") }
    if !file.statement.prefix.isEmpty {
      global.say("\(path) holds only keys that begin with \(Escaping.text(file.statement.prefix))")
    }
  }

  /// Of a key that the file is not about it can't be said that it has no value.
  private func check(_ key: Key) throws(CommandError) {
    let prefix = file.statement.prefix
    guard key.bytes.starts(with: prefix) else {
      throw .usage(
        "\(Escaping.text(key.bytes)): the file holds only keys that begin with \(Escaping.text(prefix)), and says nothing"
          + " of others")
    }
  }

  /// The record of a key; nil if it has none.
  func get(_ key: Key) throws(CommandError) -> Record? {
    try check(key)
    let record = try onSnapshot { () throws(SnapshotError) in try file.get(key, at: version) }
    if record == nil { try checkChange(of: key) }
    return record
  }

  /// Of a key that did not change, a file of changes can't say that it has no value.
  private func checkChange(of key: Key) throws(CommandError) {
    guard let since = file.statement.since else { return }
    let cursor = file.lifespans(from: key, to: key.successor)
    guard try onSnapshot({ () throws(SnapshotError) in try cursor.next() }) == nil else { return }
    throw .usage(
      "\(Escaping.text(key.bytes)): the file holds only what changed after version \(since), and says nothing of this"
        + " key")
  }

  /// A range has to lie within what the file is about, unless it is of everything.
  private func check(from lower: Key?, to upper: Key?) throws(CommandError) {
    let prefix = file.statement.prefix
    guard !prefix.isEmpty, lower != nil || upper != nil else { return }
    let end = Key(prefix).successorOfPrefix
    if let lower, lower.bytes.starts(with: prefix), let upper, end.map({ upper <= $0 }) ?? true { return }
    throw .usage(
      "the file holds only keys that begin with \(Escaping.text(prefix)), and says nothing of others; without bounds all of"
        + " it is read")
  }

  /// What gives one record of a range after the other, then nil.
  func records(
    from lower: Key?, to upper: Key?, limit: Int?, reverse: Bool
  ) throws(CommandError) -> () throws(CommandError) -> Record? {
    try check(from: lower, to: upper)
    let cursor = file.records(from: lower, to: upper, at: version, reverse: reverse)
    var left = limit ?? .max
    return { () throws(CommandError) in
      guard left > 0 else { return nil }
      left -= 1
      return try onSnapshot { () throws(SnapshotError) in try cursor.next()?.record }
    }
  }

  /// Every version of a key that the file shows, the newest first; a deletion where one ended and none began.
  func history(of key: Key) throws(CommandError) -> [Record] {
    try check(key)
    let cursor = file.lifespans(from: key, to: key.successor)
    var records: [Record] = []
    while let span = try onSnapshot({ () throws(SnapshotError) in try cursor.next() }) {
      if span.to != .max, span.to != records.last?.version { records.append(.tombstone(key, span.to)) }
      records.append(span.record)
    }
    if records.isEmpty { try checkChange(of: key) }
    return records
  }

  /// The proof that a key's record is in the snapshot, as text; nil if it has none.
  func proof(of key: Key) throws(CommandError) -> [UInt8]? {
    try check(key)
    let proof = try onSnapshot { () throws(SnapshotError) in
      try SnapshotProof.make(for: key, at: version, in: file).map { ProofText($0, file.seal).line }
    }
    if proof == nil { try checkChange(of: key) }
    return proof
  }
}
