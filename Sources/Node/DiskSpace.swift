import Bytes
import Environment
import Raft
import Wire

/// What becomes of the node when its disk is full (DESIGN §5): it takes no more writes but deletions, and those only as
/// long as the reserve lasts; it gives its leaderships away; reads, expiry and compactions go on. It recovers by itself
/// once there is room for the reserve again, and some more.
final class DiskSpace {
  private unowned let node: Node
  /// What there is not enough of; nil where nothing is short.
  private var shortage: Shortage?
  /// Whether the disk is full, or no more files can be opened.
  var isFull: Bool { shortage != nil }
  private var free: UInt64?
  private var isBusy = false
  private var isTelling = false
  private var nextLook = Moment(rawValue: 0)

  private enum Shortage: String {
    case room = "the disk is full"
    case descriptors = "no more files can be opened"
  }

  init(node: Node) {
    self.node = node
    shortage = node.storage.startsFull ? .room : nil
  }

  func tick() {
    tellCatalog()
    guard !isBusy, node.now >= nextLook else { return }
    isBusy = true
    let storage = node.storage
    node.host.run(.flush) {
      storage.lookAtSpace()
    } then: { [self] space in
      isBusy = false
      nextLook = node.now.advanced(milliseconds: Limits.spaceLookMilliseconds)
      judge(space)
    }
  }

  private func judge(_ space: NodeStorage.Space) {
    if space.isGone {
      return node.host.fatal(
        "its directory, or FORMAT or LOCK in it, was removed under it, or another put in its place: what it acknowledges "
          + "would be lost; kv-failures(7) says how to replace a node")
    }
    free = space.free
    if !isFull {
      if space.isFull { enter(.room, "\(ByteCount.bytes(Int(clamping: space.free ?? 0))) are free") }
    } else if space.isAmple {
      node.host.log(
        .info, "\(shortage == .room ? "the disk has room again" : "files may be opened again"): writes are taken")
      shortage = nil
      node.planner.mapChanged()
    }
    node.pipeline.retry()
    node.pump()
  }

  /// Something found no room.
  func ranOut(_ error: DiskError) {
    guard !isFull else { return }
    // What was free before is not; the next look says what is.
    free = nil
    nextLook = node.now
    enter(error.isOutOfDescriptors ? .descriptors : .room, "\(error)")
  }

  private func enter(_ shortage: Shortage, _ words: String) {
    self.shortage = shortage
    node.host.log(.error, "\(shortage.rawValue) (\(words)): no writes but deletions are taken until there is room")
    let storage = node.storage
    node.host.run(.flush) {
      storage.releaseReserve()
    } then: { [self] in
      node.pipeline.retry()
      node.pump()
    }
    node.planner.moveLeaders()
  }

  /// Lets the other nodes know, so that they don't hand leaderships to this one.
  private func tellCatalog() {
    guard !isTelling, let known = node.catalog.catalog?.node(node.id), known.isFull != isFull else { return }
    isTelling = true
    let (id, isFull) = (node.id.rawValue, isFull)
    let command = WireCatalogCommand.with {
      $0.setSpace = .with {
        $0.node = id
        $0.isFull = isFull
      }
    }
    node.proposeToCatalog(command) { [self] _ in isTelling = false }
  }

  /// Why a write is not taken; nil where it is.
  func refusal(ofDeletion isDeletion: Bool, by replica: GroupReplica) -> (code: WireFailure.Code, words: String)? {
    guard isFull, !isDeletion || node.pipeline.isStalled else { return nil }
    if node.planner.handOver(replica, except: []) {
      let words = shortage?.rawValue ?? ""
      return (.unavailable, "node \(node.id): \(words), and another node takes the partition over; try again")
    }
    return (.diskFull, problem.map { "node \(node.id): \($0)" } ?? "")
  }

  /// What an operator should know.
  var problem: String? {
    guard let shortage else { return nil }
    let taken = node.pipeline.isStalled ? "nothing is written" : "no writes but deletions are taken"
    guard shortage == .room else {
      return "\(shortage.rawValue): \(taken) until that passes; raise the limit of open files, or look who has so many"
    }
    let wanted = ByteCount.bytes(Limits.roomToGoOn.rawValue + node.storage.reserveBytes.rawValue)
    let room = free.map { " (\(ByteCount.bytes(Int(clamping: $0))) free, \(wanted) wanted to go on)" } ?? ""
    return "\(shortage.rawValue)\(room): \(taken) until there is room"
  }
}
