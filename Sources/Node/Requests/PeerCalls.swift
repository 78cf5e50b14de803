import Bytes
import Environment
import Wire

/// The requests that this node has under way at others.
struct PeerCalls {
  /// How a call ended.
  enum Result {
    case answered(WireResponse.OneOf_Body)
    /// The connection ended or time ran out: the other node may or may not have acted.
    case lost
  }

  private struct Call {
    let node: NodeID
    let deadline: Moment
    let done: (Result) -> Void
  }

  private var nextID: UInt64
  private var calls: [UInt64: Call] = [:]

  /// No calls yet. `seed` must be another in each life of the process: an answer to a call of an earlier life, which may
  /// come seconds after the restart, must not pass for one to a call of this.
  init(seed: UInt64) {
    nextID = seed >> 1
  }

  /// The number of calls under way.
  var count: Int { calls.count }
  /// Whether another call may be made.
  var hasRoom: Bool { calls.count < Limits.peerCalls }

  /// Notes a call and gives the id that its request must carry.
  mutating func begin(_ node: NodeID, deadline: Moment, _ done: @escaping (Result) -> Void) -> UInt64 {
    let id = nextID
    nextID += 1
    calls[id] = Call(node: node, deadline: deadline, done: done)
    return id
  }

  /// Takes out the call that a response belongs to, if it is still wanted.
  mutating func end(_ id: UInt64, from node: NodeID) -> ((Result) -> Void)? {
    guard let call = calls[id], call.node == node else { return nil }
    calls[id] = nil
    return call.done
  }

  /// Takes out the calls to a node whose connection ended, in the order in which they began.
  mutating func end(allTo node: NodeID) -> [(Result) -> Void] {
    take { $0.node == node }
  }

  /// Takes out the calls whose time is over.
  mutating func end(dueBy now: Moment) -> [(Result) -> Void] {
    take { $0.deadline <= now }
  }

  private mutating func take(_ chosen: (Call) -> Bool) -> [(Result) -> Void] {
    let ids = calls.filter { chosen($0.value) }.keys.sorted()
    return ids.compactMap { calls.removeValue(forKey: $0)?.done }
  }
}
