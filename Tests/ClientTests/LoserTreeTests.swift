import Bytes
import Testing

@testable import Client

@Suite struct LoserTreeTests {
  private static func merge(_ sources: [[Int]], precedes: @escaping (Int, Int) -> Bool) -> [(value: Int, source: Int)] {
    var rest = sources.map { $0[...] }
    var tree = LoserTree(rest.map(\.first), precedes: precedes)
    var out: [(value: Int, source: Int)] = []
    while let winner = tree.winner {
      out.append((rest[winner].removeFirst(), winner))
      tree.replaceWinner(with: rest[winner].first)
    }
    return out
  }

  @Test("no sources, or empty ones, have no winner")
  func empty() {
    #expect(LoserTree([], precedes: { (a: Int, b: Int) in a < b }).winner == nil)
    #expect(LoserTree([nil, nil, nil], precedes: { (a: Int, b: Int) in a < b }).winner == nil)
  }

  @Test("equal heads come in the order of their sources")
  func ties() {
    let merged = Self.merge([[1, 5], [1, 5], [1, 5]], precedes: <)
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
    let up = Self.merge(sources.map { $0.sorted() }, precedes: <).map(\.value)
    #expect(up == sources.joined().sorted(), "seed \(seed)")
    let down = Self.merge(sources.map { $0.sorted(by: >) }, precedes: >).map(\.value)
    #expect(down == sources.joined().sorted(by: >), "seed \(seed)")
  }
}
