import HashRing
import Testing

@Suite("How many partitions there should be for the nodes")
struct SplitRuleTests {
  @Test("the first nodes have enough; each further node leads at least eight, and less than twice as many")
  func enough() {
    for nodes in 0...3 { #expect(SplitRule.leastBits(nodes: nodes) == 0) }
    #expect(SplitRule.leastBits(nodes: 4) == 5 && SplitRule.leastBits(nodes: 5) == 6)
    for nodes in 4...400 {
      let partitions = 1 << SplitRule.leastBits(nodes: nodes)
      #expect(partitions >= 8 * nodes && partitions < 16 * nodes, "\(nodes) nodes")
    }
  }
}
