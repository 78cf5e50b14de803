import Bytes
import Environment
import HashRing
import Wire

// Reads of a replica that need not lead: at a closed version, or of what it has.
extension Partition {
  /// By how many milliseconds what the replica has may be behind what was acknowledged; nil: not known.
  var lag: UInt64? { closed.asOf.map { node.now.milliseconds(since: $0) } }

  /// Notes that the replica leads, where its lease says so.
  func noticeLeadership(now: Moment) {
    guard let replica, replica.leads, replica.core.leaseHolds(now: now.rawValue) else { return }
    closed.leads(at: now)
  }

  /// Answers a read that this replica need not lead for; false where the leader has to, or somebody else.
  func answers(_ request: WireGetRequest, reply: Reply) -> Bool {
    let key = Key(request.key.array)
    guard hasState, serves(Position(of: key)) else { return false }
    noticeLeadership(now: node.now)
    if request.eventual {
      if replica?.leads != true { node.closedVersions.wasUsed() }
      guard request.maxLagMs == 0 || lag.map({ $0 <= request.maxLagMs }) ?? false else { return false }
      let at = request.at == 0 ? Version.max : Version(rawValue: request.at)
      let body = read(key, at: at)
      guard case .get(var response) = body else {
        // What can't be read here the leader may have; but who names a version asks for this replica's word.
        if request.at > 0 { reply(body) }
        return request.at > 0
      }
      response.lagMs = lag.map { UInt32(clamping: $0) } ?? .max
      response.node = node.id.rawValue
      reply(.get(response))
      return true
    }
    guard request.at > 0, request.at <= closed.version.rawValue else { return false }
    reply(read(key, at: Version(rawValue: request.at)))
    return true
  }

  /// Calls back once a read at a version may be served from the store, of a replica that leads or of another; with a
  /// failure where that can't be.
  func whenReadableAnywhere(at version: Version, _ done: @escaping (WireResponse.OneOf_Body?) -> Void) {
    if let replica, replica.core.isLeader { return whenReadable(at: version, done) }
    node.closedVersions.wasUsed()
    done(version <= closed.version ? nil : notLeader)
  }
}
