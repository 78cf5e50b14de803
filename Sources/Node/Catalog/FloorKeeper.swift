import Bytes
import Environment
import Wire

/// Raises the floor as versions grow older than the retention, on the catalog's leader (DESIGN §6).
///
/// Before each step every member is asked what is being read; the floor stays at or below that. A member that does not
/// answer holds the floor where it is, until it has been silent for longer than a read is held. So long a new leader
/// waits for members that it hasn't heard from.
final class FloorKeeper {
  private unowned let node: Node
  private var nextLook = Moment(rawValue: 0)
  private var isAsking = false
  /// Since when this node leads the catalog.
  private var leadsSince: Moment?
  private var heardFrom: [NodeID: Moment] = [:]

  init(node: Node) {
    self.node = node
  }

  func tick() {
    guard let replica = node.catalog.replica, replica.leads, let catalog = node.catalog.catalog else {
      leadsSince = nil
      heardFrom.removeAll()
      return
    }
    leadsSince = leadsSince ?? node.now
    guard !isAsking, node.now >= nextLook else { return }
    nextLook = node.now.advanced(milliseconds: Limits.floorLookMilliseconds)
    let kept = catalog.retentionMilliseconds
    guard let wall = node.clocks.wallMilliseconds(), wall > kept else { return }
    // What was not given out yet can't be read, and so can't be the floor.
    guard let latest = node.catalog.lastGivenOut else { return }
    let target = min(Version(milliseconds: wall - kept), latest)
    let step = min(max(kept / Limits.floorSteps, 1), Limits.longestFloorStep)
    let isLargeStep = target.milliseconds >= catalog.floor.milliseconds + step
    guard target > catalog.floor, isLargeStep || target == latest else { return }
    ask(catalog.living.map { NodeID(rawValue: $0.id) }, target)
  }

  private func ask(_ members: [NodeID], _ target: Version) {
    isAsking = true
    var left = members.count
    var oldest = target
    var silent: [NodeID] = []
    let deadline = node.now.advanced(milliseconds: Limits.oracleMilliseconds)
    func finish(_ member: NodeID, _ answer: WireOldestReadResponse?) {
      if let answer {
        heardFrom[member] = node.now
        if answer.version > 0 { oldest = min(oldest, Version(rawValue: answer.version)) }
      } else {
        silent.append(member)
      }
      left -= 1
      guard left == 0 else { return }
      isAsking = false
      if silent.allSatisfy(holdsNothing) { raise(to: oldest) }
    }
    let request = WireOldestReadRequest.with { $0.floor = target.rawValue }
    for member in members {
      guard member != node.id else {
        finish(member, node.oldestRead(request))
        continue
      }
      node.call(member, .with { $0.oldestRead = request }, deadline: deadline) { result in
        if case .answered(.oldestRead(let answer)) = result { finish(member, answer) } else { finish(member, nil) }
      }
    }
  }

  /// Whether a member has been silent for so long that no read of it is held any more.
  private func holdsNothing(_ member: NodeID) -> Bool {
    guard let last = heardFrom[member] ?? leadsSince else { return false }
    return node.now.milliseconds(since: last) > Limits.heldReadMilliseconds
  }

  private func raise(to floor: Version) {
    guard let catalog = node.catalog.catalog, floor > catalog.floor else { return }
    // Refused or lost: the next look decides anew.
    node.catalog.propose(.with { $0.raiseFloor = floor.rawValue }) { _ in }
  }
}
