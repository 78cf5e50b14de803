import Bytes
import Environment
import Simulation
import Store
import Wire

@testable import Node

extension SimulatedWorld {
  /// Compares the replicas of a partition and waits for what comes of it, while the world runs; nil where the check was
  /// lost.
  func verify(
    _ group: UInt32, of id: NodeID? = nil, prefix: String = "", at: Version = .zero, quick: Bool = false,
    round: UInt64? = nil
  ) -> (number: UInt64, report: WireCheckReport)? {
    var request = WireVerifyRequest.with {
      $0.group = group
      $0.prefix = .init(prefix.utf8)
      $0.at = at.rawValue
      $0.quick = quick
      // Each is a command of its own, unless said otherwise.
      $0.round = round ?? clock.now.rawValue
    }
    for _ in 0..<4_000 {
      let whole = WireRequest.with {
        $0.timeoutMs = 8_000
        $0.verify = request
      }
      guard case .verify(let answer)? = ask(whole, of: id) else { return nil }
      if answer.done { return answer.hasReport ? (answer.check, answer.report) : nil }
      request.check = answer.check
      run(milliseconds: 20)
    }
    return nil
  }

  /// Has the replicas replaced that a check found wrong.
  func repair(_ group: UInt32, _ check: UInt64, of id: NodeID? = nil) -> WireResponse.OneOf_Body? {
    ask(
      .with {
        $0.timeoutMs = 30_000
        $0.repair = .with {
          $0.group = group
          $0.check = check
        }
      }, of: id)
  }

  /// The node that leads a partition.
  func leader(of group: UInt32) -> NodeID? {
    hosts.values.map(\.id).sorted().first { hosts[$0]?.node.leads(GroupID(rawValue: group)) == true }
  }

  func partition(_ group: UInt32, on id: NodeID) -> Partition? {
    hosts[id]?.node.replicas[GroupID(rawValue: group)]?.machine as? Partition
  }

  /// The tables of a partition on a node.
  func tables(_ group: UInt32, on id: NodeID) throws -> [String] {
    guard let disk = hosts[id]?.disk else { return [] }
    return try disk.list("/node/partitions/\(group)").filter { $0.hasSuffix(".sst") }
      .map { "/node/partitions/\(group)/\($0)" }
  }
}

extension WireCheckReport {
  func outcome(on id: NodeID) -> WireCheckedReplica.Outcome? {
    replicas.first { ReplicaID(rawValue: $0.replica).node == id }?.outcome
  }

  var outcomes: Set<WireCheckedReplica.Outcome> { Set(replicas.map(\.outcome)) }
  var wrongNodes: [NodeID] { wrong.map { ReplicaID(rawValue: $0).node } }
}
