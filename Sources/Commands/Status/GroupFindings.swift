import Bytes

/// What is wrong with the catalog and with partitions: what holds of many of them is said once.
struct GroupFindings {
  /// What can be wrong with a group.
  enum Finding: Hashable {
    case noLeader
    case noMajority(lost: Int, voters: Int)
    case missingVoters(Int, wanted: Int)
    case learner(NodeID)
    case unreported(NodeID)
    case stateless(NodeID)
    case behind(NodeID)
  }

  /// In the order in which they were found.
  private var order: [Finding] = []
  private var groups: [Finding: [UInt32]] = [:]
  /// How many log entries the replica is behind that is furthest so.
  private var furthest: [Finding: UInt64] = [:]

  /// Notes a finding of a group, which comes after those of lower number.
  mutating func note(_ finding: Finding, of group: UInt32, entries: UInt64 = 0) {
    if groups[finding] == nil { order.append(finding) }
    groups[finding, default: []].append(group)
    furthest[finding] = max(entries, furthest[finding] ?? 0)
  }

  /// Each in words.
  var words: [String] {
    order.map { finding in
      let groups = groups[finding] ?? []
      let (name, isOne) = (GroupFindings.name(groups), groups.count == 1)
      let (replica, has) = (isOne ? "the replica" : "the replicas", isOne ? "has" : "have")
      let (be, learners) = (isOne ? "is" : "are", isOne ? "a learner" : "learners")
      return switch finding {
      case .noLeader: "\(name) \(has) no leader"
      case .noMajority(let lost, let voters):
        "\(name): \(lost) of \(voters) replicas are lost, and nobody can be elected: see kv-recover(1)"
      case .missingVoters(let count, let wanted): "\(name) \(has) \(count) of \(wanted) voters"
      case .learner(let node): "\(name): \(replica) on node \(node) \(be) still \(learners)"
      case .unreported(let node): "\(name): \(replica) on node \(node) \(be) not reported"
      case .stateless(let node):
        "\(name): \(replica) on node \(node) \(isOne ? "gets" : "get") the whole state: the log doesn't reach back far enough"
      case .behind(let node):
        "\(name): \(replica) on node \(node) \(be)\(isOne ? "" : " up to") \(furthest[finding] ?? 0) entries behind"
      }
    }
  }

  /// Groups, ascending, by their names: `the catalog and partitions 1 to 4, 7`.
  static func name(_ groups: [UInt32]) -> String {
    let partitions = groups.filter { $0 > 0 }
    var names = groups.first == 0 ? ["the catalog"] : []
    if !partitions.isEmpty { names.append((partitions.count == 1 ? "partition " : "partitions ") + runs(partitions)) }
    return names.joined(separator: " and ")
  }
}
