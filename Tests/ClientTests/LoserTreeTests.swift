import Bytes
import Testing

@testable import Client

@Suite struct LoserTreeTests {
  private struct Number: Merged {
    let value: Int
    let isReverse: Bool

    func order(to other: Number) -> Int { isReverse ? other.value - value : value - other.value }
  }

  private static func merge(_ sources: [[Int]], isReverse: Bool = false) -> [(value: Int, source: Int)] {
    var rest = sources.map { $0.map { Number(value: $0, isReverse: isReverse) }[...] }
    var tree = LoserTree(rest.map(\.first))
    var out: [(value: Int, source: Int)] = []
    while let winner = tree.winner {
      out.append((rest[winner].removeFirst().value, winner))
      tree.replaceWinner(with: rest[winner].first)
    }
    return out
  }

  @Test("no sources, or empty ones, have no winner")
  func empty() {
    #expect(LoserTree<Number>([]).winner == nil)
    #expect(LoserTree<Number>([nil, nil, nil]).winner == nil)
  }

  @Test("equal heads come in the order of their sources")
  func ties() {
    let merged = Self.merge([[1, 5], [1, 5], [1, 5]])
    #expect(merged.map(\.source) == [0, 1, 2, 0, 1, 2])
  }

  @Test("any number of sorted sources merge to what sorting them gives, both ways")
  func merges() {
    for seed in 0..<200 as Range<UInt64> { mergeRandom(seed) }
  }

  private func mergeRandom(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let sources = (0..<Int.random(in: 1...17, using: &random)).map { _ in
      (0..<Int.random(in: 0...20, using: &random)).map { _ in Int.random(in: 0...50, using: &random) }
    }
    let up = Self.merge(sources.map { $0.sorted() }).map(\.value)
    #expect(up == sources.joined().sorted(), "seed \(seed)")
    let down = Self.merge(sources.map { $0.sorted(by: >) }, isReverse: true).map(\.value)
    #expect(down == sources.joined().sorted(by: >), "seed \(seed)")
  }
}
