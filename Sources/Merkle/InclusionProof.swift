/// Shows that a leaf is in a tree of which only the root is known (RFC 6962 §2.1.1).
public struct InclusionProof: Equatable, Sendable {
  /// The most hashes of a path: those of a tree with 2^64 leaves.
  public static let longestPath = 64

  /// The place of the leaf, from 0.
  public let index: UInt64
  /// The number of leaves of the tree.
  public let count: UInt64
  /// The hashes beside the way from the leaf to the root, the leaf's neighbour first.
  public let path: [TreeHash]

  /// A proof of these parts.
  public init(index: UInt64, count: UInt64, path: [TreeHash]) {
    self.index = index
    self.count = count
    self.path = path
  }

  /// The root of the only tree that the proof and the hash of the leaf fit; nil where the path has not as many hashes as
  /// a leaf at this place has beside its way (RFC 9162 §2.1.3.2).
  public func root(ofLeaf leaf: TreeHash, _ hasher: TreeHasher) -> TreeHash? {
    guard index < count else { return nil }
    var (node, last, hash) = (index, count - 1, leaf)
    for sibling in path {
      guard last > 0 else { return nil }
      if node & 1 == 1 || node == last {
        hash = hasher.node(sibling, hash)
        while node & 1 == 0, node != 0 {
          node >>= 1
          last >>= 1
        }
      } else {
        hash = hasher.node(hash, sibling)
      }
      node >>= 1
      last >>= 1
    }
    return last == 0 ? hash : nil
  }
}

/// Makes the proof for one leaf while all leaves go by once, in order. Keeps as little as `TreeBuilder`.
public struct InclusionProver {
  private let index: UInt64
  private let count: UInt64
  /// The subtrees beside the way, by where they begin.
  private var siblings: [(start: UInt64, end: UInt64, depth: Int, tree: TreeBuilder)] = []
  private var next = 0
  private var place: UInt64 = 0

  /// A prover for the leaf at a place, below `count`, of a tree of `count` leaves.
  public init(index: UInt64, count: UInt64, _ hasher: TreeHasher) {
    precondition(index < count)
    self.index = index
    self.count = count
    var (start, end, depth) = (UInt64(0), count, 0)
    while end - start > 1 {
      // The left subtree is the largest full one that leaves something to the right.
      let split = start + (1 << UInt64(63 - (end - start - 1).leadingZeroBitCount))
      if index < split {
        siblings.append((split, end, depth, TreeBuilder(hasher)))
        end = split
      } else {
        siblings.append((start, split, depth, TreeBuilder(hasher)))
        start = split
      }
      depth += 1
    }
    siblings.sort { $0.start < $1.start }
  }

  /// Takes the hash of the next leaf.
  public mutating func add(_ leaf: TreeHash) {
    if next < siblings.count, place >= siblings[next].end { next += 1 }
    if next < siblings.count, place >= siblings[next].start { siblings[next].tree.add(leaf) }
    place += 1
  }

  /// The proof, once all leaves have gone by.
  public func finish() -> InclusionProof {
    precondition(place == count, "not all leaves have gone by")
    let path = siblings.sorted { $0.depth > $1.depth }.map(\.tree.root)
    return InclusionProof(index: index, count: count, path: path)
  }
}
