import Bytes
import Client
import Wire

/// What a check of a partition found, in words and as JSON.
struct CheckReport {
  let message: WireCheckReport

  /// What is to be said of a partition in one word.
  enum Outcome {
    case equal
    /// Some replica is damaged, or differs.
    case damaged
    /// Nothing wrong was found, but not all replicas could be looked at.
    case notChecked
  }

  var outcome: Outcome {
    if message.replicas.contains(where: { $0.outcome == .damaged || $0.outcome == .differs }) { return .damaged }
    return message.replicas.contains { $0.outcome == .notChecked } || message.replicas.isEmpty ? .notChecked : .equal
  }

  /// The command that mends the partition, if something can.
  func repairLine(_ cluster: String?) -> String? {
    guard !message.wrong.isEmpty else { return nil }
    return CheckReport.repairLine([message.group], cluster)
  }

  /// The command that mends partitions.
  static func repairLine(_ groups: [UInt32], _ cluster: String?) -> String {
    let file = cluster.map { " --cluster \(Shell.quoted($0))" } ?? ""
    return "kv repair\(file)" + groups.map { " --partition \($0)" }.joined()
  }

  /// A number of the replica's node.
  static func node(_ replica: UInt64) -> String { "node \(ReplicaID(rawValue: replica).node)" }

  // MARK: Words

  /// Lines for people: the partition in one, and what is wrong with it below.
  var text: [String] {
    let sound = message.replicas.filter { $0.outcome == .equal }
    let place = "at log entry \(message.index)"
    switch outcome {
    case .equal:
      let first = message.replicas.first
      let nodes = sound.map { "\(ReplicaID(rawValue: $0.replica).node)" }.joined(separator: " ")
      if message.quick { return ["partition \(message.group): equal by its sums on nodes \(nodes) \(place)"] }
      let size = StatusTable.size(first?.recordBytes ?? 0)
      return ["partition \(message.group): equal: \(first?.records ?? 0) records, \(size), on nodes \(nodes) \(place)"]
    case .notChecked:
      return ["partition \(message.group): NOT CHECKED on every replica"] + replicaLines
    case .damaged:
      return ["partition \(message.group): DAMAGED \(place)"] + replicaLines + differenceLines + verdictLines
    }
  }

  private var replicaLines: [String] {
    message.replicas.flatMap { replica -> [String] in
      let node = CheckReport.node(replica.replica)
      switch replica.outcome {
      case .equal: return ["  \(node): \(message.quick ? "as most" : "sound: \(replica.records) records")"]
      case .differs: return ["  \(node): \(message.quick ? "another sum" : "other records, \(replica.records)")"]
      case .notChecked, .UNRECOGNIZED: return ["  \(node): could not be checked: \(CheckReport.safe(replica.words))"]
      case .damaged: return replica.damage.map { "  \(node): damaged: \(CheckReport.words($0))" }
      }
    }
  }

  /// A message of a node's, safe for a terminal.
  private static func safe(_ words: String) -> String { Escaping.line(words) }

  private static func words(_ damage: WireFileDamage) -> String {
    // What is wrong with a file as a whole has no place.
    let place = damage.offset > 0 || damage.concernsRecords ? ": at byte \(damage.offset)" : ""
    var words = "\(safe(damage.path))\(place): \(safe(damage.words))"
    if damage.mendsItself { words += "; nothing is lost: the node has it in memory, and writes it anew" }
    guard damage.concernsRecords else { return words }
    let start = damage.after.isEmpty ? "the first key" : "after \(Escaping.text(damage.after.array))"
    words += "; keys from \(start) to \(Escaping.text(damage.through.array))"
    return words
  }

  private var differenceLines: [String] {
    let lines = message.differences.map { difference in
      let held = difference.held.map { held in
        let node = CheckReport.node(held.replica)
        guard held.present else { return "\(node) does not have it" }
        let end = held.to == .max ? "" : " until \(held.to)"
        return "\(node) has \(held.valueBytes) bytes\(end) (sha256 \(CheckReport.hex(held.digest.array.prefix(6))))"
      }
      return "  key \(Escaping.text(difference.key.array)) version \(difference.from): \(held.joined(separator: "; "))"
    }
    return message.moreDifferences ? lines + ["  and more"] : lines
  }

  private var verdictLines: [String] {
    if !message.undecided.isEmpty { return ["  undecided: \(CheckReport.safe(message.undecided))"] }
    guard !message.wrong.isEmpty else { return [] }
    return ["  wrong, by a majority of sound replicas: \(message.wrong.map(CheckReport.node).joined(separator: ", "))"]
  }

  /// Bytes as hexadecimal digits.
  static func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  // MARK: JSON

  /// The report as one object.
  func object(_ cluster: String?) -> JSONObject {
    var object = JSONObject()
    object.number("partition", message.group)
    object.string("outcome", outcome.name)
    object.boolean("quick", message.quick)
    object.number("index", message.index)
    object.version("floor", Version(rawValue: message.floor))
    object.objects("replicas", message.replicas.map(CheckReport.object))
    object.objects("differences", message.differences.map(CheckReport.object))
    object.boolean("more_differences", message.moreDifferences)
    object.strings("wrong", message.wrong.map { "\(ReplicaID(rawValue: $0))" })
    if !message.undecided.isEmpty { object.string("undecided", message.undecided) }
    object.number("exchanged_bytes", message.exchangedBytes)
    if let line = repairLine(cluster) { object.string("repair", line) }
    return object
  }

  private static func object(_ replica: WireCheckedReplica) -> JSONObject {
    var object = JSONObject()
    object.number("node", ReplicaID(rawValue: replica.replica).node.rawValue)
    object.string("replica", "\(ReplicaID(rawValue: replica.replica))")
    object.string("outcome", name(of: replica.outcome))
    object.number("records", replica.records)
    object.number("record_bytes", replica.recordBytes)
    object.string("root", hex(replica.root.array))
    if !replica.words.isEmpty { object.string("error", replica.words) }
    object.objects("damage", replica.damage.map(CheckReport.object))
    return object
  }

  /// What a check found of a replica, in a word.
  static func name(of outcome: WireCheckedReplica.Outcome) -> String {
    switch outcome {
    case .equal: "equal"
    case .differs: "differs"
    case .damaged: "damaged"
    case .notChecked, .UNRECOGNIZED: "not checked"
    }
  }

  private static func object(_ damage: WireFileDamage) -> JSONObject {
    var object = JSONObject()
    object.string("path", damage.path)
    object.number("offset", damage.offset)
    object.string("words", damage.words)
    object.boolean("mends_itself", damage.mendsItself)
    if damage.concernsRecords {
      object.data("after", damage.after.array)
      object.data("through", damage.through.array)
    }
    return object
  }

  private static func object(_ difference: WireRecordDifference) -> JSONObject {
    var object = JSONObject()
    object.data("key", difference.key.array)
    object.version("version", Version(rawValue: difference.from))
    object.objects(
      "held",
      difference.held.map { held in
        var object = JSONObject()
        object.number("node", ReplicaID(rawValue: held.replica).node.rawValue)
        object.boolean("present", held.present)
        guard held.present else { return object }
        if held.to == .max { object.null("to") } else { object.version("to", Version(rawValue: held.to)) }
        object.number("value_bytes", held.valueBytes)
        object.string("sha256", hex(held.digest.array))
        return object
      })
    return object
  }
}

extension CheckReport.Outcome {
  fileprivate var name: String {
    switch self {
    case .equal: "equal"
    case .damaged: "damaged"
    case .notChecked: "not checked"
    }
  }
}
