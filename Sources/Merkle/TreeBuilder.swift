/// Builds the root of an RFC 6962 tree from its leaves, one after the other, and keeps no more than one hash for each
/// of its levels.
public struct TreeBuilder {
  private let hasher: TreeHasher
  /// The roots of the complete subtrees so far, the largest first: one for each bit of `count`.
  private var peaks: [TreeHash] = []
  /// The number of leaves so far.
  public private(set) var count: UInt64 = 0

  /// A tree without leaves.
  public init(_ hasher: TreeHasher) {
    self.hasher = hasher
  }

  /// Adds the hash of the next leaf.
  public mutating func add(_ leaf: TreeHash) {
    var hash = leaf
    // As many subtrees are full now as the number before ends with ones.
    for _ in 0..<(~count).trailingZeroBitCount { hash = hasher.node(peaks.removeLast(), hash) }
    peaks.append(hash)
    count += 1
  }

  /// The root of what was added.
  public var root: TreeHash {
    guard var hash = peaks.last else { return hasher.empty() }
    for peak in peaks.dropLast().reversed() { hash = hasher.node(peak, hash) }
    return hash
  }
}
