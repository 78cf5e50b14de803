import Bytes
import Testing

@testable import HashRing

@Suite struct QuotaTests {
  @Test("zones fill evenly, and a zone never holds more of a partition than it has nodes")
  func spread() {
    let even = ZoneSpread(zones: ["a", "a", "b", "b", "c", "c"], replicas: 3)
    #expect(even.low == [1, 1, 1] && even.high == [1, 1, 1])
    let two = ZoneSpread(zones: ["a", "a", "b", "b"], replicas: 3)
    #expect(two.low == [1, 1] && two.high == [2, 2])
    let small = ZoneSpread(zones: ["a", "b", "b", "b"], replicas: 3)
    #expect(small.low == [1, 2] && small.high == [1, 2])
    let many = ZoneSpread(zones: ["a", "b", "b", "c", "d"], replicas: 3)
    #expect(many.low == [0, 0, 0, 0] && many.high == [1, 1, 1, 1])
    #expect(many.nodes == [0..<1, 1..<3, 3..<4, 4..<5])
    let all = ZoneSpread(zones: ["a", "a", "b"], replicas: 3)
    #expect(all.low == [2, 1] && all.high == [2, 1])
  }

  @Test("shares are exact, also with the largest weights that there are")
  func extremes() {
    let zones = ZoneSpread(zones: ["a", "b", "c"], replicas: 1)
    let quota = NodeQuota(
      weights: [Int64(UInt32.max), Int64(UInt32.max), 1], zones: zones, partitions: 4096)
    #expect(quota.bounds == [2047...2048, 2047...2048, 0...1])
  }

  @Test("the preference list names every node once, and keeps its order when another node goes")
  func preference() {
    let ids = (1...20).map { NodeID(rawValue: UInt32($0)) }
    var random = SplitMix64(seed: 9)
    var firsts: Set<Int> = []
    for _ in 0..<100 {
      let position = Position(rawValue: random.next())
      let ranks = Preference(nodes: ids).ranks(from: position)
      #expect(ranks.sorted() == Array(0..<20))
      firsts.insert(ranks.firstIndex(of: 0) ?? 0)
      let without = Preference(nodes: ids.dropLast()).ranks(from: position)
      let order = ranks.dropLast().enumerated().sorted { $0.element < $1.element }.map(\.offset)
      #expect(without.enumerated().sorted { $0.element < $1.element }.map(\.offset) == order)
    }
    #expect(firsts.count > 10)
  }
}
