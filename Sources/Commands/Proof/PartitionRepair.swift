import Bytes
import Client
import Wire

/// The repair of one partition: its wrong replicas are fenced, others take their place, and the result is checked.
struct PartitionRepair {
  let check: PartitionCheck
  let report: WireCheckReport
  /// The check that found it.
  let number: UInt64

  /// How long one partition may take where nothing else is said.
  static let usualMilliseconds: UInt64 = 600_000
  private static let pauseMilliseconds: UInt64 = 250

  /// What came of it.
  struct Outcome {
    let group: UInt32
    let fenced: [WireRepairResponse.Fenced]
    /// Why it is not mended; nil: it is.
    let failure: String?
    /// The check afterwards, if it came to that.
    let after: WireCheckReport?

    var isMended: Bool { failure == nil }
  }

  /// Carries it out; it may take so long.
  func run(milliseconds: UInt64, quiet: Bool) throws(CommandError) -> Outcome {
    let deadline = ProcessFacts.steadyMilliseconds + milliseconds
    let request = WireRepairRequest.with {
      $0.group = report.group
      $0.check = number
    }
    let answer: WireRepairResponse
    do throws(ClientError) {
      answer = try check.client.repair(request)
    } catch {
      return outcome([], "\(error)")
    }
    if let failed = answer.fenced.first(where: { !$0.failure.isEmpty }) {
      return outcome(answer.fenced, "\(CheckReport.node(failed.replica)): \(failed.failure)")
    }
    var progress = ProgressLine(quiet: quiet)
    defer { progress.clear() }
    var obstacle = "nobody said how it is"
    while ProcessFacts.steadyMilliseconds < deadline {
      ProcessFacts.sleep(milliseconds: Self.pauseMilliseconds)
      let open: String?
      do throws(ClientError) {
        open = try whatIsMissing()
      } catch {
        obstacle = "\(error)"
        continue
      }
      guard let open else { return try verified(answer.fenced) }
      obstacle = open
      progress.show("partition \(report.group): \(open)")
    }
    return outcome(answer.fenced, "the new replica is not in place yet: \(obstacle); it goes on by itself")
  }

  private func outcome(
    _ fenced: [WireRepairResponse.Fenced], _ failure: String?, _ after: WireCheckReport? = nil
  ) -> Outcome {
    Outcome(group: report.group, fenced: fenced, failure: failure, after: after)
  }

  private func verified(_ fenced: [WireRepairResponse.Fenced]) throws(CommandError) -> Outcome {
    guard case .checked(let after, _) = try check.again.run(report.group, show: { _, _ in }) else {
      return outcome(fenced, "the check afterwards could not be made: run kv verify --partition \(report.group)")
    }
    let found = CheckReport(message: after).outcome
    return outcome(fenced, found == .equal ? nil : "the check afterwards did not find all replicas equal", after)
  }

  /// What is still to happen until all replicas are in place; nil: nothing.
  private func whatIsMissing() throws(ClientError) -> String? {
    let groups = try check.client.status().compactMap(\.status).flatMap(\.groups).filter { $0.group == report.group }
    guard let leader = groups.filter({ $0.role == .leader }).max(by: { $0.term < $1.term }) else {
      return "it has no leader"
    }
    if leader.voters.contains(where: { report.wrong.contains($0) }) { return "the wrong replica is still a member" }
    if !leader.learners.isEmpty { return "the new replica is being filled" }
    if leader.voters.count < report.replicas.count { return "the new replica is not there yet" }
    return groups.contains { $0.fenced } ? "a replica is fenced" : nil
  }
}

extension PartitionRepair.Outcome {
  var text: [String] {
    var lines: [String] = []
    if let failure {
      lines.append("partition \(group): NOT REPAIRED: \(Escaping.line(failure))")
    } else {
      let nodes = (after?.replicas ?? []).map { "\(ReplicaID(rawValue: $0.replica).node)" }.joined(separator: " ")
      lines.append("partition \(group): repaired: equal on nodes \(nodes)")
    }
    for replica in fenced where !replica.kept.isEmpty {
      lines.append("  kept on \(CheckReport.node(replica.replica)): \(Escaping.line(replica.kept))")
    }
    return lines
  }

  var object: JSONObject {
    var object = JSONObject()
    object.number("partition", group)
    object.boolean("repaired", isMended)
    if let failure { object.string("error", failure) }
    object.objects(
      "replaced",
      fenced.map { replica in
        var object = JSONObject()
        object.number("node", ReplicaID(rawValue: replica.replica).node.rawValue)
        object.string("replica", "\(ReplicaID(rawValue: replica.replica))")
        object.string("kept", replica.kept)
        return object
      })
    return object
  }
}
