public import Bytes
public import Merkle
import Table

/// Shows that a record is in a snapshot, to somebody who has the root, or the cluster's authority, but not the file.
public struct SnapshotProof: Sendable {
  /// The record, and what replaced it.
  public let span: Lifespan
  /// The way from its leaf to the root.
  public let inclusion: InclusionProof
  /// The statement that names the root.
  public let statement: SnapshotStatement

  /// A proof of these parts.
  public init(span: Lifespan, inclusion: InclusionProof, statement: SnapshotStatement) {
    self.span = span
    self.inclusion = inclusion
    self.statement = statement
  }

  /// The proof for the record of a key that is alive at a version which the file shows; nil if there is none. Reads the
  /// whole file, and refuses one whose records don't have the root that it names.
  public static func make(
    for key: Key, at version: Version, in file: SnapshotFile
  ) throws(SnapshotError) -> SnapshotProof? {
    guard let record = try file.get(key, at: version) else { return nil }
    var index: UInt64 = 0
    var span: Lifespan?
    let search = file.lifespans()
    func look(at view: RecordView, to: Version) {
      let isFound = view.version == record.version && key.bytes.withRawBytes { compareBytes(view.key, $0) == 0 }
      if isFound { span = Lifespan(record, to: to) } else { index += 1 }
    }
    while span == nil, try search.next(look) {}
    guard let span, index < file.statement.records else {
      throw .damaged(path: file.path, offset: 0, expected: "the record among all others", found: "it is not")
    }
    var tree = RecordTree()
    var prover = InclusionProver(index: index, count: file.statement.records, tree.hasher)
    let all = file.lifespans()
    while try all.next({ view, to in prover.add(tree.add(view, to: to)) }) {}
    try SnapshotCheck.compare(tree, with: file.statement, path: file.path, at: file.fileBytes)
    return SnapshotProof(span: span, inclusion: prover.finish(), statement: file.statement)
  }

  /// The root of the only tree in which the record is at its place; nil where there is no such tree.
  public var root: [UInt8]? {
    let hasher = TreeHasher()
    let leaf = span.record.withView { RecordTree.leaf($0, to: span.to, hasher) }
    return inclusion.root(ofLeaf: leaf, hasher)?.bytes
  }
}
