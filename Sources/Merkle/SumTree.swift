/// A binary Merkle tree over the slices of an arc, each with the sum of its records.
///
/// Nodes are numbered as in a heap: the root is 1, the children of i are 2i and 2i + 1, and the leaf of slice k is
/// 2^depth + k. A leaf is SHA-256(0 | sum), an inner node SHA-256(1 | left | right).
public struct SumTree: Sendable {
  /// The bytes of a node.
  public static let nodeBytes = SHA256.digestBytes

  /// The levels below the root.
  public let depth: Int
  /// Node i at 32 × i; the first 32 bytes stand for nothing.
  private let nodes: [UInt8]

  /// A tree over as many leaves as there are slices, a power of two. nil where the library has no memory.
  public init?(_ leaves: [RecordSum]) {
    precondition(leaves.count > 0 && leaves.count & (leaves.count - 1) == 0, "a power of two of leaves")
    depth = leaves.count.trailingZeroBitCount
    let hasher = NodeHasher()
    var nodes = [UInt8](repeating: 0, count: 2 * leaves.count * Self.nodeBytes)
    /// The node of the level under way whose slices are all empty: most are, in a small partition.
    guard var empty = hasher.hash(0, RecordSum().bytes) else { return nil }
    var isEmpty = leaves.map { $0 == RecordSum() }
    for (slice, sum) in leaves.enumerated() {
      guard let node = isEmpty[slice] ? empty : hasher.hash(0, sum.bytes) else { return nil }
      Self.put(node, at: leaves.count + slice, in: &nodes)
    }
    var width = leaves.count / 2
    while width > 0 {
      guard let above = hasher.hash(1, empty + empty) else { return nil }
      empty = above
      for place in 0..<width {
        isEmpty[place] = isEmpty[2 * place] && isEmpty[2 * place + 1]
        let first = 2 * (width + place) * Self.nodeBytes
        let children = Array(nodes[first..<first + 2 * Self.nodeBytes])
        guard let node = isEmpty[place] ? empty : hasher.hash(1, children) else { return nil }
        Self.put(node, at: width + place, in: &nodes)
      }
      width /= 2
    }
    self.nodes = nodes
  }

  private static func put(_ node: [UInt8], at number: Int, in nodes: inout [UInt8]) {
    nodes.replaceSubrange(number * nodeBytes..<(number + 1) * nodeBytes, with: node)
  }

  /// The root.
  public var root: [UInt8] { node(1) }

  /// A node.
  public func node(_ number: Int) -> [UInt8] { Array(nodes[number * Self.nodeBytes..<(number + 1) * Self.nodeBytes]) }

  /// Whether there is a node of that number with so many levels below it.
  public func has(_ number: Int, levels: Int) -> Bool {
    number > 0 && levels >= 0 && levels <= depth && number < 1 << (depth - levels + 1)
  }

  /// The descendants of a node so many levels below it, from left to right, one after the other.
  public func descendants(of number: Int, levels: Int) -> [UInt8] {
    precondition(has(number, levels: levels))
    let first = number << levels
    return Array(nodes[first * Self.nodeBytes..<(first + 1 << levels) * Self.nodeBytes])
  }
}
