/// Finds the leaves in which several trees of the same shape differ: from the root down, only where they do. No I/O:
/// it says which nodes it wants to see of every tree, and is given them.
public struct TreeDescent: Sendable {
  /// How many levels one step goes down: with 4, sixteen nodes of each tree for each that differs.
  public static let stepLevels = 4
  /// The most differing nodes that are followed at once; the others are left out, and `isCut` says so.
  public static let width = 64

  private let depth: Int
  private var level = 0
  /// The nodes known to differ, ascending, all on one level.
  private(set) public var wanted: [Int] = [1]
  /// Whether more differ than are followed.
  private(set) public var isCut = false

  /// A descent from roots that differ.
  public init(depth: Int) {
    self.depth = depth
  }

  /// How many levels below the wanted nodes the answers have to lie; 0 once the leaves are reached.
  public var levels: Int { min(Self.stepLevels, depth - level) }

  /// The slices that differ; nil until the leaves are reached.
  public var slices: [Int]? { level == depth ? wanted.map { $0 - 1 << depth } : nil }

  /// Takes in what the trees have below the wanted nodes: of each tree the descendants of all of them, one after the
  /// other. False, and nothing has changed, where an answer has another length, or none differs.
  public mutating func take(_ trees: [[UInt8]]) -> Bool {
    let fan = 1 << levels
    let bytes = wanted.count * fan * SumTree.nodeBytes
    guard let first = trees.first, trees.allSatisfy({ $0.count == bytes }), levels > 0 else { return false }
    var differing: [Int] = []
    for (place, number) in wanted.enumerated() {
      for child in 0..<fan {
        let start = (place * fan + child) * SumTree.nodeBytes
        let range = start..<start + SumTree.nodeBytes
        if trees.contains(where: { $0[range] != first[range] }) { differing.append(number << levels + child) }
      }
    }
    guard !differing.isEmpty else { return false }
    level += levels
    isCut = isCut || differing.count > Self.width
    wanted = Array(differing.prefix(Self.width))
    return true
  }
}
