import Bytes
import Node

/// What `kv recover` says of a directory.
struct RecoveryReport {
  private let recovery: Recovery

  init(_ recovery: Recovery) {
    self.recovery = recovery
  }

  /// Prints a line for each group, then one for each node that is to be struck out.
  func print(_ json: Bool, _ output: OutputStream) throws(CommandError) {
    for group in recovery.groups {
      if json {
        var object = JSONObject()
        object.number("group", group.group.rawValue)
        object.number("last", group.last.rawValue)
        object.number("term", group.term.rawValue)
        object.number("commit", group.commit.rawValue)
        object.number("source", group.source.rawValue)
        object.numbers("members", group.members.map(\.rawValue))
        object.boolean("alone", group.isAlone)
        if group.isEmptied { object.boolean("emptied", true) }
        if let loss = group.loss { object.string("loss", loss) }
        if let obstacle = group.obstacle { object.string("obstacle", obstacle) }
        if !group.unusable.isEmpty { object.strings("unusable", group.unusable) }
        try output.write(object.line)
      } else {
        let name = group.group == .catalog ? "catalog" : "partition \(group.group)"
        let nodes = group.members.map { "\($0)" }.joined(separator: ", ")
        let state = group.isAlone ? "alone" : "members on nodes \(nodes)"
        let source = group.source == recovery.node ? "" : "; taken from node \(group.source)'s directory"
        let plan =
          group.isEmptied
          ? "\(name): of what is given nothing can be used; to begin anew, empty"
          : "\(name): entries up to \(group.last) of term \(group.term), known to be committed up to \(group.commit);"
            + " \(state)\(source)"
        try output.line(group.obstacle ?? plan)
        if let loss = group.loss { try output.line("lost: \(loss)") }
        for words in group.unusable { try output.line("can't be used: \(words)") }
      }
    }
    for node in recovery.lost {
      guard !json else {
        var object = JSONObject()
        object.number("node", node.id.rawValue)
        object.string("address", node.address)
        object.boolean("struck_out", recovery.isDone)
        try output.write(object.line)
        continue
      }
      let address = Escaping.text(Array(node.address.utf8))
      try output.line("node \(node.id) at \(address): \(recovery.isDone ? "" : "to be ")struck out for ever")
    }
    for earlier in recovery.earlier {
      guard !json else {
        var object = JSONObject()
        object.number("recovered_ms", earlier.timeMs)
        object.number("survivor", earlier.survivor)
        object.numbers("lost", earlier.lost)
        if !earlier.emptied.isEmpty { object.numbers("emptied", earlier.emptied) }
        if !earlier.lossy.isEmpty { object.numbers("lossy", earlier.lossy) }
        try output.write(object.line)
        continue
      }
      let lost =
        switch earlier.lost.count {
        case 0: "no node was"
        case 1: "node \(earlier.lost[0]) was"
        default: "nodes \(Self.list(earlier.lost)) were"
        }
      try output.line(
        "recovered at \(CivilTime.text(milliseconds: earlier.timeMs)) on node \(earlier.survivor): \(lost) struck out")
      if !earlier.emptied.isEmpty {
        try output.line("partitions that began anew then, empty: \(Self.list(earlier.emptied))")
      }
      if !earlier.lossy.isEmpty {
        try output.line("groups that went on then with what was left of their logs: \(Self.list(earlier.lossy))")
      }
    }
  }

  private static func list(_ numbers: [UInt32]) -> String { numbers.map { "\($0)" }.joined(separator: ", ") }

  /// Whether the recovery may go on.
  func verdict(reachable: [String], _ global: GlobalOptions) -> ExitCode {
    guard recovery.obstacles.isEmpty else {
      StandardError.say(
        "what is given can't carry the cluster on: give the directories of other nodes by --from, or try another one;"
          + " where nothing is left of a partition, --without and its number goes on with it empty;"
          + " where a log has lost something, --accept-loss goes on with what is left of it")
      return .damage
    }
    guard reachable.isEmpty else {
      StandardError.say(
        "\(reachable.joined(separator: ", ")) answers: with this node it may be a quorum; start kv serve here first, and"
          + " stop the others if they shall not count any more")
      return .refused
    }
    if recovery.isDone {
      global.say("nothing is to be done: the node is alone already")
    } else {
      global.say(
        "lost will be what others acknowledged beyond the entries above; where several nodes' directories are left, the"
          + " one whose entries are of the highest term, and then go furthest, has the most")
    }
    return .done
  }
}
