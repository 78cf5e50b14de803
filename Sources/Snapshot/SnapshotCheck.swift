public import Bytes
public import Environment
import Merkle
public import Table

/// Checks a snapshot's file: every byte, the order and number of the records, their root, the signature.
public enum SnapshotCheck {
  /// Checks all but the signature. `progress` gets the offset up to which the file was read.
  public static func content(
    disk: any Disk, path: String, progress: (UInt64) -> Void = { _ in }
  ) throws(SnapshotError) -> (statement: SnapshotStatement, seal: SnapshotSeal) {
    let audit = try onTable { () throws(TableError) in try TableAudit(disk: disk, path: path) }
    let (seal, statement) = try SnapshotFile.statement(
      of: audit.properties, path: path, fileBytes: audit.fileBytes)
    var tree = RecordTree()
    var sequence = SnapshotSequence(statement)
    try onTable { () throws(TableError) in
      try audit.run { (view, offset) throws(TableError) in
        let to = statement.hasHistory ? view.to : .max
        if let (expected, found) = sequence.fault(in: view, to: to) {
          throw .corrupt(path: path, offset: offset, expected: expected, found: found)
        }
        tree.add(view, to: to)
        progress(offset)
      }
    }
    try compare(tree, with: statement, path: path, at: audit.fileBytes)
    return (statement, seal)
  }

  static func compare(
    _ tree: RecordTree, with statement: SnapshotStatement, path: String, at offset: UInt64
  ) throws(SnapshotError) {
    func damaged(_ expected: String, _ found: String) -> SnapshotError {
      .damaged(path: path, offset: offset, expected: expected, found: found)
    }
    guard tree.records == statement.records else {
      throw damaged("\(statement.records) records", "\(tree.records)")
    }
    guard tree.dataBytes == statement.dataBytes else {
      throw damaged("\(statement.dataBytes) bytes of keys and values", "\(tree.dataBytes)")
    }
    guard tree.root == statement.root else {
      throw damaged("records with the root \(hexadecimal(statement.root))", hexadecimal(tree.root))
    }
  }
}

/// What the records of a file must be for its statement to be true of them.
struct SnapshotSequence {
  private let statement: SnapshotStatement
  private var key: Key?
  private var newer = Version.max

  init(_ statement: SnapshotStatement) {
    self.statement = statement
  }

  /// Takes the next record; says what is wrong with it.
  mutating func fault(in view: RecordView, to: Version) -> (expected: String, found: String)? {
    guard view.version <= statement.version else {
      return ("versions up to \(statement.version)", "\(view.version)")
    }
    guard view.key.starts(with: statement.prefix) else {
      return ("keys that begin with \(Escaping.text(statement.prefix))", Escaping.text(Array(view.key)))
    }
    guard statement.hasHistory else {
      guard let since = statement.since else { return view.kind == .value ? nil : ("values", "a deletion") }
      return view.version > since ? nil : ("versions above \(since)", "\(view.version)")
    }
    guard view.kind == .value else { return ("values", "a deletion") }
    guard to > statement.oldest, to <= statement.version || to == .max else {
      return ("records alive from \(statement.oldest) on, that end by \(statement.version) or never", "one to \(to)")
    }
    if key?.bytes.withRawBytes({ compareBytes(view.key, $0) }) != 0 { (key, newer) = (Key(Array(view.key)), .max) }
    defer { newer = view.version }
    return to <= newer ? nil : ("a record that ends by \(newer)", "one that ends at \(to)")
  }
}

/// Bytes as lower-case digits.
public func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
