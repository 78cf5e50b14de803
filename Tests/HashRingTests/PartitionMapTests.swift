import Bytes
import Testing

@testable import HashRing

@Suite struct PartitionMapTests {
  private func entry(_ group: UInt32, _ bits: UInt8, _ prefix: UInt64, nodes: [UInt32] = [])
    -> PartitionEntry
  {
    PartitionEntry(
      group: GroupID(rawValue: group), arc: Arc(bits: bits, prefix: prefix), epoch: 1,
      replicas: nodes.map {
        ReplicaAssignment(
          replica: ReplicaID(node: NodeID(rawValue: $0), incarnation: 1), state: .voter)
      })
  }

  /// A map made by splitting random partitions, shuffled.
  private func randomPartitions(_ random: inout SplitMix64) -> [PartitionEntry] {
    var arcs = [Arc.ring]
    for _ in 0..<Int.random(in: 0..<100, using: &random) {
      let place = Int.random(in: arcs.indices, using: &random)
      guard let (lower, upper) = arcs[place].split() else { continue }
      arcs[place] = lower
      arcs.append(upper)
    }
    arcs.shuffle(using: &random)
    return arcs.enumerated().map { entry(UInt32($0 + 1), $1.bits, $1.prefix) }
  }

  @Test("every position is found in the partition whose arc holds it")
  func lookup() throws {
    var random = SplitMix64(seed: 6)
    for _ in 0..<40 {
      let partitions = randomPartitions(&random)
      let map = try PartitionMap(epoch: 9, partitions: partitions)
      #expect(map.epoch == 9)
      let edges = partitions.flatMap { [$0.arc.first, $0.arc.last] }
      for position in edges + (0..<50).map({ _ in Position(rawValue: random.next()) }) {
        let expected = partitions.first { $0.arc.contains(position) }
        #expect(map.lookup(position) == expected, "\(position)")
      }
      for partition in partitions { #expect(map.lookup(partition.group) == partition) }
      #expect(map.lookup(GroupID(rawValue: 1000)) == nil)
      #expect(
        zip(map.partitions, map.partitions.dropFirst()).allSatisfy { $0.arc.last < $1.arc.first })
    }
  }

  @Test("a key is found at its position")
  func key() throws {
    let arcs = try Arc.equalParts(count: 16)
    let map = try PartitionMap(
      epoch: 1, partitions: arcs.map { entry(UInt32($0.prefix) + 1, $0.bits, $0.prefix) })
    // Position 3b577afd7fed9501 begins with the digit 3.
    #expect(map.lookup(Key("user:1")).group.rawValue == 4)
  }

  @Test(
    "a map that misses any of its partitions is refused, and so is one that has any of them twice")
  func cover() throws {
    var random = SplitMix64(seed: 7)
    for _ in 0..<40 {
      var partitions = randomPartitions(&random)
      let extra = partitions[Int.random(in: partitions.indices, using: &random)]
      let missing = partitions.filter { $0 != extra }
      #expect(throws: RingError.gap(at: extra.arc.first)) {
        try PartitionMap(epoch: 1, partitions: missing)
      }
      partitions.append(
        PartitionEntry(group: GroupID(rawValue: 999), arc: extra.arc, epoch: 1, replicas: []))
      #expect(throws: RingError.overlap(extra.group, GroupID(rawValue: 999))) {
        try PartitionMap(epoch: 1, partitions: partitions)
      }
    }
  }

  @Test("a parent beside its children is an overlap")
  func nested() {
    #expect(throws: RingError.overlap(GroupID(rawValue: 1), GroupID(rawValue: 2))) {
      try PartitionMap(epoch: 1, partitions: [entry(1, 0, 0), entry(2, 1, 1)])
    }
    #expect(throws: RingError.overlap(GroupID(rawValue: 1), GroupID(rawValue: 3))) {
      try PartitionMap(epoch: 1, partitions: [entry(1, 1, 0), entry(2, 1, 1), entry(3, 3, 1)])
    }
    #expect(throws: RingError.gap(at: Position(rawValue: 0))) {
      try PartitionMap(epoch: 1, partitions: [])
    }
  }

  @Test("a group owns one arc, the catalog none, and a node holds one replica of a partition")
  func identities() {
    #expect(throws: RingError.duplicateGroup(GroupID(rawValue: 1))) {
      try PartitionMap(epoch: 1, partitions: [entry(1, 1, 0), entry(1, 1, 1)])
    }
    #expect(throws: RingError.catalogOwnsArc) {
      try PartitionMap(epoch: 1, partitions: [entry(0, 0, 0)])
    }
    #expect(throws: RingError.duplicateNode(group: GroupID(rawValue: 1), node: NodeID(rawValue: 7))) {
      try PartitionMap(epoch: 1, partitions: [entry(1, 0, 0, nodes: [3, 7, 7])])
    }
  }

  @Test("more partitions than a cluster may have are refused")
  func tooMany() {
    let count = UInt64(Limits.partitions * 2)
    let partitions = (0..<count).map { entry(UInt32($0) + 1, 13, $0) }
    #expect(throws: RingError.tooManyPartitions(found: Int(count), limit: Limits.partitions)) {
      try PartitionMap(epoch: 1, partitions: partitions)
    }
  }

  @Test("those that leave still vote, those that join don't yet")
  func voters() {
    var partition = entry(1, 0, 0, nodes: [1, 2, 3, 4])
    partition.replicas[2].state = .leaving
    partition.replicas[3].state = .joining
    #expect(partition.voters.map(\.node.rawValue) == [1, 2, 3])
    #expect(partition.replica(on: NodeID(rawValue: 4))?.state == .joining)
    #expect(partition.replica(on: NodeID(rawValue: 5)) == nil)
  }

  @Test("every refusal says what was expected and found")
  func messages() {
    #expect(RingError.gap(at: Position(rawValue: 1)).description.contains("0000000000000001"))
    #expect(
      RingError.badPartCount(found: 3, limit: 4096).description.hasSuffix(
        "from 1 to 4096 as the number of partitions, found 3"))
    #expect(
      RingError.overlap(GroupID(rawValue: 1), GroupID(rawValue: 2)).description.contains("1 and 2"))
    #expect(
      RingError.badArc(bits: 65, prefix: 7).description.hasSuffix("found 65 bits and prefix 7"))
  }
}
