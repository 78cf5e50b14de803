import Bytes
import Testing

@testable import HashRing

@Suite struct PlannerTests {
  private func nodes(_ count: Int, zones: Int = 0, from first: Int = 1) -> [PlannerNode] {
    (first..<first + count).map {
      PlannerNode(id: NodeID(rawValue: UInt32($0)), zone: zones == 0 ? "" : "z\($0 % zones)")
    }
  }

  private func partitions(_ count: Int, replicas: (Int) -> [UInt32] = { _ in [] }) throws
    -> [PlannerPartition]
  {
    try Arc.equalParts(count: count).enumerated().map { place, arc in
      PlannerPartition(
        group: GroupID(rawValue: UInt32(place + 1)), arc: arc,
        replicas: replicas(place).map { NodeID(rawValue: $0) })
    }
  }

  private func applied(_ plan: Plan, to partitions: [PlannerPartition]) -> [PlannerPartition] {
    partitions.map {
      PlannerPartition(group: $0.group, arc: $0.arc, replicas: plan.nodes(of: $0.group) ?? [])
    }
  }

  private func counts(_ plan: Plan) -> [NodeID: Int] {
    plan.assignments.reduce(into: [:]) { counts, assignment in
      for node in assignment.nodes { counts[node, default: 0] += 1 }
    }
  }

  @Test("one node holds one replica of everything, and the plan says that more are wanted")
  func lonelyNode() throws {
    let plan = Planner.plan(nodes: nodes(1), partitions: try partitions(16), replicasWanted: 3)
    #expect(plan.assignments.allSatisfy { $0.nodes == [NodeID(rawValue: 1)] })
    #expect(plan.shortfalls == [.tooFewNodes(wanted: 3, available: 1)])
    #expect(plan.moves.count == 16)
    #expect(plan.moves.allSatisfy { $0.from == nil && $0.to == NodeID(rawValue: 1) })
  }

  @Test("three nodes hold everything three times; from one node that takes two moves a partition")
  func threeNodes() throws {
    let plan = Planner.plan(
      nodes: nodes(3), partitions: try partitions(16) { _ in [1] }, replicasWanted: 3)
    #expect(plan.assignments.allSatisfy { $0.nodes.map(\.rawValue) == [1, 2, 3] })
    #expect(plan.moves.count == 32)
    #expect(plan.moves.allSatisfy { $0.from == nil })
    #expect(plan.shortfalls.isEmpty)
  }

  @Test(
    "a fourth node is given exactly its share and nothing else moves; when it leaves, exactly that moves back"
  )
  func fourthNode() throws {
    let before = try partitions(16) { _ in [1, 2, 3] }
    let plan = Planner.plan(nodes: nodes(4), partitions: before, replicasWanted: 3)
    #expect(counts(plan).values.allSatisfy { $0 == 12 })
    #expect(plan.moves.count == 12)
    #expect(plan.moves.allSatisfy { $0.to == NodeID(rawValue: 4) && $0.from != nil })

    let leaving = nodes(3) + [PlannerNode(id: NodeID(rawValue: 4), isDraining: true)]
    let back = Planner.plan(
      nodes: leaving, partitions: applied(plan, to: before), replicasWanted: 3)
    #expect(back.moves.count == 12)
    #expect(back.moves.allSatisfy { $0.from == NodeID(rawValue: 4) })
    #expect(counts(back).values.allSatisfy { $0 == 16 })
  }

  @Test("a plan that was carried out asks for no more moves")
  func stable() throws {
    for seed in 0..<UInt64(60) {
      let oracle = PlannerOracle(seed: seed, nodes: 3...12, partitionBits: 2...5)
      let plan = oracle.plan()
      let again = Planner.plan(
        nodes: oracle.nodes, partitions: applied(plan, to: oracle.partitions),
        replicasWanted: oracle.wanted)
      #expect(again.moves.isEmpty, "seed \(seed)")
    }
  }

  @Test("the moves lead from the present replicas to the wanted ones")
  func movesLeadThere() {
    for seed in 0..<UInt64(60) {
      let oracle = PlannerOracle(seed: seed, nodes: 1...12, partitionBits: 2...5)
      let plan = oracle.plan()
      var present = Dictionary(
        uniqueKeysWithValues: oracle.partitions.map { ($0.group, Set($0.replicas)) })
      for move in plan.moves {
        if let from = move.from {
          #expect(present[move.group]?.remove(from) != nil, "seed \(seed)")
        }
        if let to = move.to {
          #expect(present[move.group]?.insert(to).inserted == true, "seed \(seed)")
        }
      }
      for assignment in plan.assignments {
        #expect(present[assignment.group] == Set(assignment.nodes), "seed \(seed)")
      }
    }
  }

  @Test("the order in which nodes, partitions and replicas are given changes nothing")
  func orderIndependent() {
    for seed in 0..<UInt64(40) {
      var oracle = PlannerOracle(seed: seed, nodes: 3...12, partitionBits: 2...5)
      let plan = oracle.plan()
      var random = SplitMix64(seed: seed)
      oracle.nodes.shuffle(using: &random)
      oracle.partitions = oracle.partitions.map {
        PlannerPartition(
          group: $0.group, arc: $0.arc, replicas: $0.replicas.shuffled(using: &random))
      }.shuffled(using: &random)
      #expect(oracle.plan() == plan, "seed \(seed)")
    }
  }

  @Test("with three zones every partition has a replica in each")
  func distinctZones() throws {
    let plan = Planner.plan(
      nodes: nodes(9, zones: 3), partitions: try partitions(64), replicasWanted: 3)
    for assignment in plan.assignments {
      #expect(Set(assignment.nodes.map { $0.rawValue % 3 }).count == 3)
    }
    #expect(counts(plan).values.allSatisfy { (21...22).contains($0) })
    #expect(plan.shortfalls.isEmpty)
  }

  @Test("zones come before balance, and the plan names the nodes that this burdens")
  func unevenZones() throws {
    let lonely = PlannerNode(id: NodeID(rawValue: 1), zone: "a")
    let crowd = (2...9).map {
      PlannerNode(id: NodeID(rawValue: UInt32($0)), zone: $0 < 6 ? "b" : "c")
    }
    let plan = Planner.plan(
      nodes: [lonely] + crowd, partitions: try partitions(32), replicasWanted: 3)
    #expect(counts(plan)[lonely.id] == 32)
    #expect(crowd.allSatisfy { counts(plan)[$0.id] == 8 })
    #expect(plan.shortfalls.count == 9)
    #expect(
      plan.shortfalls.first == .unevenZones(node: lonely.id, zone: "a", share: 10...11, planned: 32)
    )
    #expect(
      plan.shortfalls.first?.description
        == "node 1 holds 32 replicas where its weight asks for 10 or 11: zone 'a' is too small for an even spread"
    )
  }

  @Test("two zones for three replicas hold two and one, and the plan says so")
  func tooFewZones() throws {
    let plan = Planner.plan(
      nodes: nodes(6, zones: 2), partitions: try partitions(16), replicasWanted: 3)
    #expect(plan.shortfalls == [.tooFewZones(replicas: 3, zones: 2, most: 2)])
    for assignment in plan.assignments {
      #expect(Set(assignment.nodes.map { $0.rawValue % 2 }).count == 2)
    }
    #expect(counts(plan).values.allSatisfy { $0 == 8 })
  }

  @Test("weights divide the replicas, and a node never holds more than one of a partition")
  func weights() throws {
    let weighted = [1, 1, 2, 4].enumerated().map {
      PlannerNode(id: NodeID(rawValue: UInt32($0 + 1)), weight: $1)
    }
    let single = Planner.plan(nodes: weighted, partitions: try partitions(64), replicasWanted: 1)
    #expect(single.assignments.count { $0.nodes == [NodeID(rawValue: 4)] } == 32)
    #expect(weighted.map { counts(single)[$0.id] } == [8, 8, 16, 32])
    // By weight node 4 would hold half of 128 and node 3 a quarter: it takes all 64 that it can.
    let double = Planner.plan(nodes: weighted, partitions: try partitions(64), replicasWanted: 2)
    #expect(weighted.map { counts(double)[$0.id] } == [16, 16, 32, 64])
    // Of 192, node 4 can't hold 96: the others share what is left of it.
    let triple = Planner.plan(nodes: weighted, partitions: try partitions(64), replicasWanted: 3)
    #expect(weighted.map { counts(triple)[$0.id] } == [32, 32, 64, 64])
  }

  @Test("partitions with the fewest living replicas are repaired first")
  func urgency() throws {
    let before = try partitions(4) { [[1, 2, 3], [1, 2, 9], [1, 8, 9], [1, 2]][$0] }
    let plan = Planner.plan(nodes: nodes(3), partitions: before, replicasWanted: 3)
    #expect(plan.moves.map(\.group.rawValue) == [3, 3, 2, 4])
    #expect(plan.moves.map(\.from?.rawValue) == [8, 9, 9, nil])
  }

  @Test("without a node that takes replicas nothing moves")
  func noNodes() throws {
    let draining = [PlannerNode(id: NodeID(rawValue: 1), isDraining: true)]
    let plan = Planner.plan(
      nodes: draining, partitions: try partitions(2) { _ in [1] }, replicasWanted: 3)
    #expect(plan.assignments.allSatisfy { $0.nodes == [NodeID(rawValue: 1)] })
    #expect(plan.moves.isEmpty)
    #expect(plan.shortfalls == [.noNodes])
    #expect(Planner.plan(nodes: [], partitions: [], replicasWanted: 3).assignments.isEmpty)
    #expect(Planner.plan(nodes: nodes(3), partitions: [], replicasWanted: 3).shortfalls.isEmpty)
  }

  @Test(
    "forty nodes in five zones share 512 partitions to within one, from nothing and after a loss")
  func large() throws {
    let before = try partitions(512)
    let all = nodes(40, zones: 5)
    let plan = Planner.plan(nodes: all, partitions: before, replicasWanted: 3)
    #expect(counts(plan).values.allSatisfy { (38...39).contains($0) })
    // One node is lost: only what it held moves, for one of its zone-mates' sake perhaps a replica more.
    let lost = all.filter { $0.id.rawValue != 7 }
    let repair = Planner.plan(nodes: lost, partitions: applied(plan, to: before), replicasWanted: 3)
    let heldBefore = counts(plan)[NodeID(rawValue: 7)] ?? 0
    #expect(repair.moves.count { $0.from?.rawValue == 7 } == heldBefore)
    #expect(repair.moves.count == heldBefore)
    #expect(counts(repair).values.allSatisfy { (39...40).contains($0) })
  }
}
