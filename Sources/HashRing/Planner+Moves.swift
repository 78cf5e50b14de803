import Bytes

extension Planner {
  /// The steps from what partitions have to what they should have, most urgent first.
  static func moves(
    _ partitions: [PlannerPartition], _ assignments: [Plan.Assignment], _ nodes: [PlannerNode]
  ) -> [Plan.Move] {
    let zoneOfNode = Dictionary(uniqueKeysWithValues: nodes.map { ($0.id, $0.zone) })
    var steps: [(living: Int, place: Int, moves: [Plan.Move])] = []
    for (place, partition) in partitions.enumerated() {
      let present = Set(partition.replicas)
      let wanted = assignments[place].nodes
      let moves = moves(
        of: partition.group, from: present.subtracting(wanted).sorted(),
        to: wanted.filter { !present.contains($0) },
        zoneOfNode)
      guard !moves.isEmpty else { continue }
      let living = present.count { zoneOfNode[$0] != nil }
      steps.append((living < wanted.count ? living : Int.max, place, moves))
    }
    return steps.sorted { ($0.living, $0.place) < ($1.living, $1.place) }.flatMap(\.moves)
  }

  /// Pairs the nodes that gain a replica with those that lose one: lost nodes first, then nodes of the same zone.
  private static func moves(
    of group: GroupID, from losers: [NodeID], to gainers: [NodeID], _ zoneOfNode: [NodeID: String]
  ) -> [Plan.Move] {
    var lost = losers.filter { zoneOfNode[$0] == nil }
    var living = losers.filter { zoneOfNode[$0] != nil }
    var moves: [Plan.Move] = []
    // Only as many living replicas give way as the new ones outnumber the lost.
    for gainer in gainers {
      let twin = living.firstIndex { zoneOfNode[$0] == zoneOfNode[gainer] }
      if !lost.isEmpty {
        moves.append(Plan.Move(group: group, from: lost.removeFirst(), to: gainer))
      } else if !living.isEmpty {
        moves.append(Plan.Move(group: group, from: living.remove(at: twin ?? 0), to: gainer))
      } else {
        moves.append(Plan.Move(group: group, from: nil, to: gainer))
      }
    }
    return moves + (lost + living).map { Plan.Move(group: group, from: $0, to: nil) }
  }

  /// What keeps a placement from what was asked for.
  static func shortfalls(
    wanted: Int, _ takers: [PlannerNode], _ zones: ZoneSpread, _ quota: NodeQuota, _ counts: [Int]
  ) -> [Shortfall] {
    var shortfalls: [Shortfall] = []
    if takers.count < wanted {
      shortfalls.append(.tooFewNodes(wanted: wanted, available: takers.count))
    }
    // A cluster that names no zones asks for none.
    if zones.nodes.count < zones.replicas, takers.contains(where: { !$0.zone.isEmpty }) {
      shortfalls.append(
        .tooFewZones(
          replicas: zones.replicas, zones: zones.nodes.count, most: zones.high.reduce(0, max)))
    }
    for (place, node) in takers.enumerated() where !quota.byWeight[place].contains(counts[place]) {
      shortfalls.append(
        .unevenZones(
          node: node.id, zone: node.zone, share: quota.byWeight[place], planned: counts[place]))
    }
    return shortfalls
  }
}
