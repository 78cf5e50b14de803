import Bytes
import Node
import Wire

// What an administrator does to a cluster. Nobody waits for the answers: what was not heard was not done, or was.
extension SimulatedWorld {
  /// Has a node leave.
  func ask(toLeave id: NodeID) {
    let number = id.rawValue
    request(.with { $0.leave = .with { $0.node = number } }, as: SimulatedWorld.admin, attempts: 3) { _ in }
  }

  /// Declares a node lost, whoever says that it was heard from.
  func declareLost(_ id: NodeID) {
    let request = WireRequest.with {
      $0.leave = .with {
        $0.node = id.rawValue
        $0.isLost = true
        $0.force = true
      }
    }
    self.request(request, as: SimulatedWorld.admin, attempts: 20) { _ in }
  }

  /// Splits a partition: the one of a number, which wraps around. Not beyond a dozen, lest all time goes by with them.
  func splitPartition(number: Int) {
    request(.with { $0.map = WireMapRequest() }, as: SimulatedWorld.admin, attempts: 3) { [self] body in
      guard case .map(let map)? = body, (1..<12).contains(map.partitions.count) else { return }
      let part = map.partitions[number % map.partitions.count]
      let request = WireRequest.with {
        $0.split = .with {
          $0.group = part.group
          $0.bits = part.bits
        }
      }
      self.request(request, as: SimulatedWorld.admin, attempts: 3) { _ in }
    }
  }

  /// Whether every running node says that another is a member no more.
  func isRemoved(_ id: NodeID) -> Bool { hosts.values.allSatisfy { $0.node.isMember(id) == false } }

  /// Whether all nodes run, and say that nothing is on the move.
  var isSettled: Bool { hosts.count == nodes.count && hosts.values.allSatisfy { $0.node.isSettled } }
}
