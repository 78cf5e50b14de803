import Bytes
import HashRing
import Testing

@Suite("Who votes in the catalog")
struct CatalogSeatsTests {
  private static func id(_ node: UInt32) -> ReplicaID { ReplicaID(node: NodeID(rawValue: node), incarnation: 1) }

  /// Members 1, 2, … in these zones, some of them voters, all caught up but those that lag.
  private func members(
    _ zones: [String], voters: Set<UInt32>, lagging: Set<UInt32> = []
  ) -> [CatalogSeats.Member] {
    zones.enumerated().map { place, zone in
      let node = UInt32(place + 1)
      return CatalogSeats.Member(
        CatalogSeatsTests.id(node), zone: zone, isVoter: voters.contains(node), isReady: !lagging.contains(node))
    }
  }

  private func next(
    _ zones: [String], voters: Set<UInt32>, leader: UInt32 = 1, lagging: Set<UInt32> = []
  ) -> CatalogSeats.Step? {
    CatalogSeats.next(members(zones, voters: voters, lagging: lagging), leader: CatalogSeatsTests.id(leader))
  }

  @Test(
    "all of one or two nodes vote, three of three or four, five of five and more",
    arguments: zip([1, 2, 3, 4, 5, 6, 64], [1, 2, 3, 3, 5, 5, 5]))
  func count(nodes: Int, voters: Int) {
    #expect(Limits.catalogVoters(ofNodes: nodes) == voters)
  }

  @Test("a seat goes to a member that is caught up, in the zone with the fewest voters")
  func seat() {
    #expect(next(["a", "a", "b"], voters: [1]) == .seat(Self.id(3)))
    #expect(next(["a", "a", "b"], voters: [1], lagging: [3]) == .seat(Self.id(2)))
    #expect(next(["a", "a", "b"], voters: [1], lagging: [2, 3]) == nil)
  }

  @Test("the fifth of five nodes that goes leaves three voters, the leader among them")
  func unseat() {
    #expect(next(["a", "a", "b", "c"], voters: [1, 2, 3, 4]) == .unseat(Self.id(2)))
    #expect(next(["a", "a", "b", "c"], voters: [1, 2, 3, 4], leader: 2) == .unseat(Self.id(1)))
    #expect(next(["a", "a", "b", "c"], voters: [1, 3, 4]) == nil)
  }

  @Test("a voter makes place for another zone's, only where that spreads them further")
  func exchange() {
    #expect(next(["a", "a", "a", "b"], voters: [1, 2, 3]) == .exchange(out: Self.id(3), in: Self.id(4)))
    #expect(next(["a", "a", "b", "b"], voters: [1, 2, 3]) == nil)
    #expect(next(["", "", "", ""], voters: [1, 2, 3]) == nil)
  }

  @Test("from whatever begins, the steps end with the wanted number of voters, spread as far as the zones allow")
  func property() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix64(seed: seed)
    for _ in 0..<2_000 {
      let count = Int.random(in: 1...12, using: &random)
      let zones = (0..<count).map { _ in String(Int.random(in: 0..<4, using: &random)) }
      let leader = UInt32.random(in: 1...UInt32(count), using: &random)
      var voters = Set((1...UInt32(count)).filter { _ in Bool.random(using: &random) }).union([leader])
      var steps = 0
      while let step = next(zones, voters: voters, leader: leader), steps < 40 {
        switch step {
        case .seat(let id): voters.insert(id.node.rawValue)
        case .unseat(let id): voters.remove(id.node.rawValue)
        case .exchange(let out, let new):
          voters.remove(out.node.rawValue)
          voters.insert(new.node.rawValue)
        }
        steps += 1
      }
      #expect(steps < 40 && voters.contains(leader), "seed \(seed)")
      #expect(voters.count == Limits.catalogVoters(ofNodes: count), "seed \(seed)")
      let crowds = Dictionary(voters.map { (zones[Int($0) - 1], 1) }, uniquingKeysWith: +)
      for (place, zone) in zones.enumerated() where !voters.contains(UInt32(place + 1)) {
        let (here, most) = (crowds[zone] ?? 0, crowds.values.max() ?? 0)
        #expect(most < here + 2, "seed \(seed): \(zones), voters \(voters.sorted())")
      }
    }
  }
}
