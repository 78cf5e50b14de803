/// A binary Merkle tree over the slices of an arc, each with the sum of its records.
///
/// Nodes are numbered as in a heap: the root is 1, the children of i are 2i and 2i + 1, and the leaf of slice k is
/// 2^depth + k. Their hashes are those of RFC 6962.
public struct SumTree: Sendable {
  /// The bytes of a node.
  public static let nodeBytes = TreeHash.count

  /// The levels below the root.
  public let depth: Int
  /// By number; the first stands for nothing.
  private let nodes: [TreeHash]

  /// A tree over as many leaves as there are slices, a power of two.
  public init(_ leaves: [RecordSum]) {
    precondition(leaves.count > 0 && leaves.count & (leaves.count - 1) == 0, "a power of two of leaves")
    depth = leaves.count.trailingZeroBitCount
    let hasher = TreeHasher()
    /// The node of the level under way whose slices are all empty: most are, in a small partition.
    var empty = hasher.leaf(RecordSum())
    var nodes = [TreeHash](repeating: empty, count: 2 * leaves.count)
    for (slice, sum) in leaves.enumerated() where sum != RecordSum() { nodes[leaves.count + slice] = hasher.leaf(sum) }
    var width = leaves.count / 2
    while width > 0 {
      let above = hasher.node(empty, empty)
      for number in width..<2 * width {
        let (left, right) = (nodes[2 * number], nodes[2 * number + 1])
        nodes[number] = left == empty && right == empty ? above : hasher.node(left, right)
      }
      empty = above
      width /= 2
    }
    self.nodes = nodes
  }

  /// The root.
  public var root: [UInt8] { node(1) }

  /// A node.
  public func node(_ number: Int) -> [UInt8] { nodes[number].bytes }

  /// Whether there is a node of that number with so many levels below it.
  public func has(_ number: Int, levels: Int) -> Bool {
    number > 0 && levels >= 0 && levels <= depth && number < 1 << (depth - levels + 1)
  }

  /// The descendants of a node so many levels below it, from left to right, one after the other.
  public func descendants(of number: Int, levels: Int) -> [UInt8] {
    precondition(has(number, levels: levels))
    let first = number << levels
    return nodes[first..<first + 1 << levels].flatMap(\.bytes)
  }
}
