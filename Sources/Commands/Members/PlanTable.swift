import Bytes
import Client
import Wire

/// A plan as a table for people, and as one JSON object.
struct PlanTable {
  private let plan: WirePlanResponse
  /// The bytes that a replica of each partition takes, about; partitions whose leader gave no status are missing.
  private let sizes: [UInt32: UInt64]

  init(_ plan: WirePlanResponse, _ reports: [NodeReport]) {
    self.plan = plan
    var sizes: [UInt32: UInt64] = [:]
    for group in reports.compactMap(\.status).flatMap(\.groups) where group.role == .leader {
      sizes[group.group] = group.dataBytes
    }
    self.sizes = sizes
  }

  private var bytes: UInt64 { plan.moves.filter { $0.to > 0 }.reduce(0) { $0 + (sizes[$1.group] ?? 0) } }

  /// The shares of the nodes, each move, and what keeps the plan from more.
  var text: String {
    var rows = [["NODE", "ZONE", "WEIGHT", "REPLICAS", "PLANNED"]]
    rows += plan.nodes.map { node in
      [
        "\(node.node)", node.zone.isEmpty ? "-" : Escaping.text(Array(node.zone.utf8)), "\(node.weight)",
        "\(node.before)", "\(node.after)",
      ]
    }
    var lines = TextTable.aligned(rows)
    lines += plan.moves.map { move in
      let size = move.to > 0 ? sizes[move.group].map { ", \(StatusTable.size($0))" } ?? "" : ""
      return switch (move.from, move.to) {
      case (0, let to): "partition \(move.group): a replica for node \(to)\(size)"
      case (let from, 0): "partition \(move.group): none for node \(from) any more"
      case (let from, let to): "partition \(move.group): from node \(from) to node \(to)\(size)"
      }
    }
    lines.append(summary)
    lines += plan.shortfalls.map { "note: \($0)" }
    return lines.joined(separator: "\n") + "\n"
  }

  private var summary: String {
    let moves = plan.moves.count
    let what =
      switch moves {
      case 0: "nothing to move"
      case 1: "1 move, \(StatusTable.size(bytes))"
      default: "\(moves) moves, \(StatusTable.size(bytes)) in all"
      }
    return plan.underWay > 0 ? "\(what); \(plan.underWay) more under way" : what
  }

  /// All of it as one object.
  var object: JSONObject {
    var object = JSONObject()
    object.objects(
      "moves",
      plan.moves.map { move in
        var entry = JSONObject()
        entry.number("partition", move.group)
        if move.from > 0 { entry.number("from_node", move.from) } else { entry.null("from_node") }
        if move.to > 0 { entry.number("to_node", move.to) } else { entry.null("to_node") }
        if let size = sizes[move.group] { entry.number("bytes", size) }
        return entry
      })
    object.number("bytes", bytes)
    object.number("under_way", plan.underWay)
    object.objects(
      "nodes",
      plan.nodes.map { node in
        var entry = JSONObject()
        entry.number("node", node.node)
        entry.string("zone", node.zone)
        entry.number("weight", node.weight)
        entry.number("replicas", node.before)
        entry.number("planned", node.after)
        return entry
      })
    object.strings("shortfalls", plan.shortfalls)
    return object
  }
}

extension WireStatusResponse.GroupStatus {
  /// The bytes that the replica holds, about.
  var dataBytes: UInt64 { memtableBytes + tableBytes + historyBytes }
}
