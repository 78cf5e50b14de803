import Bytes
import Environment
import Raft
import Store
import Wire

/// The replica states on their way to and from this node, chunk by chunk: the receiver's credit for one chunk brings
/// the next, so a slow receiver holds up nothing but itself.
final class Transfers {
  private unowned let node: Node
  /// Another in each life of the process, as the ids of calls are.
  private var nextTransfer: UInt64
  private var outgoing: [ReplicaID: [GroupID: OutgoingTransfer]] = [:]
  private var incoming: [GroupID: IncomingTransfer] = [:]
  private var received: [GroupID: ReceivedState] = [:]
  /// The rate at which moving replicas arrive.
  private var pace = TokenBucket(bytesPerSecond: 1 << 30, burstBytes: 2 * Limits.snapshotChunk.rawValue)

  init(node: Node) {
    self.node = node
    nextTransfer = node.host.randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) } >> 1
  }

  /// The number of transfers, both ways.
  var count: Int { outgoing.values.reduce(0) { $0 + $1.count } + incoming.count + received.count }

  // MARK: Sending

  /// The core found a peer too far behind for the log: sends it the state as of now.
  func begin(_ message: Message, group: GroupID) {
    guard let replica = node.replicas[group], outgoing[message.to]?[group] == nil else { return }
    guard let state = replica.machine.captureState() else {
      return report(group, to: message.to, succeeded: false)
    }
    node.host.log(.info, "group \(group): sending its state at \(state.point.index) to node \(message.to.node)")
    let transfer = OutgoingTransfer(
      number: nextTransfer, group: group, message: message, state: state, startedAt: node.now)
    nextTransfer += 1
    outgoing[message.to, default: [:]][group] = transfer
    sendNext(transfer)
  }

  private func sendNext(_ transfer: OutgoingTransfer) {
    guard let next = transfer.state.nextChunk, !transfer.isLast else {
      return send(transfer, data: [], isLast: true)
    }
    node.host.run(.background, next) { [self] result in
      guard outgoing[transfer.target]?[transfer.group] === transfer else { return }
      switch result {
      case .success(let data?): send(transfer, data: data, isLast: false)
      case .success(nil): send(transfer, data: [], isLast: true)
      case .failure(let error):
        node.host.log(.error, "group \(transfer.group): its state can't be read to be sent: \(error.words)")
        finish(transfer, succeeded: false)
        // Another replica's files may be sound: whoever lacks the state gets it from there.
        if let replica = node.replicas[transfer.group] { node.planner.handOver(replica, except: []) }
      }
      node.pump()
    }
  }

  private func send(_ transfer: OutgoingTransfer, data: [UInt8], isLast: Bool) {
    transfer.isLast = isLast
    transfer.lastProgress = node.now
    node.host.send(.snapshotChunk(transfer.chunk(data, isLast: isLast)), to: transfer.target.node)
  }

  /// The receiver took a chunk in, or gave up.
  func receive(_ credit: WireSnapshotCredit, from sender: NodeID) {
    let target = ReplicaID(rawValue: credit.from)
    guard target.node == sender,
      let transfer = outgoing[target]?[GroupID(rawValue: credit.group)], transfer.number == credit.transfer
    else { return }
    if credit.failed || credit.done { return finish(transfer, succeeded: credit.done) }
    // One for an earlier chunk: the receiver holds the answer back, and is there.
    transfer.lastProgress = node.now
    guard credit.sequence == transfer.sequence, !transfer.isLast else { return }
    transfer.sequence += 1
    sendNext(transfer)
  }

  private func finish(_ transfer: OutgoingTransfer, succeeded: Bool) {
    outgoing[transfer.target]?[transfer.group] = nil
    report(transfer.group, to: transfer.target, succeeded: succeeded)
  }

  private func report(_ group: GroupID, to target: ReplicaID, succeeded: Bool) {
    guard let replica = node.replicas[group] else { return }
    replica.core.reportSnapshot(to: target, succeeded: succeeded, now: node.now.rawValue)
    node.schedule(replica)
  }

  /// Gives up on transfers without progress.
  func tick() {
    guard count > 0 else { return }
    letGoOn()
    for (group, transfer) in incoming.sorted(by: { $0.key < $1.key })
    where !transfer.isBusy && node.now.milliseconds(since: transfer.lastProgress) > Limits.transferStallMilliseconds {
      drop(transfer, of: group)
    }
    let stalled = outgoing.values.flatMap(\.values).filter {
      node.now.milliseconds(since: $0.lastProgress) > Limits.transferStallMilliseconds
    }
    for transfer in stalled.sorted(by: { $0.number < $1.number }) { finish(transfer, succeeded: false) }
  }

  /// The connection to a node ended, and with it what was on its way there.
  func disconnected(_ peer: NodeID) {
    let cut = outgoing.filter { $0.key.node == peer }.values.flatMap(\.values)
    for transfer in cut.sorted(by: { $0.number < $1.number }) { finish(transfer, succeeded: false) }
  }

  // MARK: Receiving

  /// Takes a chunk of a replica's state in.
  func receive(_ chunk: WireSnapshotChunk, from sender: NodeID) {
    let group = GroupID(rawValue: chunk.group)
    guard let replica = node.replicas[group], replica.id.rawValue == chunk.to,
      ReplicaID(rawValue: chunk.from).node == sender
    else { return answer(chunk, to: sender) { $0.failed = true } }
    if chunk.sequence == 0, !begin(chunk, replica, from: sender) {
      return answer(chunk, to: sender) { $0.failed = true }
    }
    guard let transfer = incoming[group], transfer.number == chunk.transfer, transfer.sender == sender,
      transfer.sequence == chunk.sequence, !transfer.isBusy
    else { return answer(chunk, to: sender) { $0.failed = true } }
    transfer.isBusy = true
    transfer.sequence += 1
    transfer.lastProgress = node.now
    transfer.arrivedBytes += UInt64(chunk.data.count)
    if chunk.sequence == 0 { transfer.totalBytes = chunk.totalBytes }
    let storage = node.storage
    let data = chunk.data.array
    let trailer = chunk.hasTrailer ? chunk.trailer : nil
    node.host.run(.background) { [sink = transfer.sink] in
      sink.take(data, trailer: trailer, storage: storage)
    } then: { [self] outcome in
      transfer.isBusy = false
      switch outcome {
      case .more:
        paced(chunk, transfer)
      case .complete(let point, let state):
        incoming[group] = nil
        received[group] = ReceivedState(sender: sender, point: point, state: state, sink: transfer.sink)
        replica.step(
          Message(
            kind: .snapshot, from: ReplicaID(rawValue: chunk.from), to: replica.id, term: Term(rawValue: chunk.term),
            snapshot: point))
        answer(chunk, to: sender) { $0.done = true }
      case .failed(let words):
        drop(transfer, of: group)
        node.host.log(.error, "group \(group): the state from node \(sender) was dropped: \(words)")
        answer(chunk, to: sender) { $0.failed = true }
      }
      node.pump()
    }
  }

  /// Lets the sender go on at once, or, where moves are limited, when the node's share of time has come.
  private func paced(_ chunk: WireSnapshotChunk, _ transfer: IncomingTransfer) {
    let rate = Int(clamping: node.catalog.catalog?.state.moveRate ?? 0)
    if rate > 0, rate != pace.bytesPerSecond { pace.setRate(rate, at: node.now.rawValue) }
    let pause = rate > 0 ? pace.take(chunk.data.count, at: node.now.rawValue) : 0
    guard pause > 0 else { return answer(chunk, to: transfer.sender) { _ in } }
    // The data isn't needed for the answer.
    var head = chunk
    head.data = .init()
    transfer.pause = .init(
      chunk: head, endsAt: Moment(rawValue: node.now.rawValue + pause),
      signAt: node.now.advanced(milliseconds: Limits.transferSignMilliseconds))
  }

  private func letGoOn() {
    for (_, transfer) in incoming.sorted(by: { $0.key < $1.key }) {
      guard let pause = transfer.pause else { continue }
      // The sender waits for us, not we for it.
      transfer.lastProgress = node.now
      if node.now >= pause.endsAt {
        transfer.pause = nil
        answer(pause.chunk, to: transfer.sender) { _ in }
      } else if node.now >= pause.signAt {
        transfer.pause?.signAt = node.now.advanced(milliseconds: Limits.transferSignMilliseconds)
        answer(pause.chunk, to: transfer.sender) { $0.sequence &-= 1 }
      }
    }
  }

  /// How far the state is that is on its way here, if one is.
  func progress(of group: GroupID) -> (arrived: UInt64, total: UInt64, milliseconds: UInt64)? {
    incoming[group].map { ($0.arrivedBytes, $0.totalBytes, node.now.milliseconds(since: $0.startedAt)) }
  }

  /// Makes room for a new transfer; false while the store or an earlier transfer is busy.
  private func begin(_ chunk: WireSnapshotChunk, _ replica: GroupReplica, from sender: NodeID) -> Bool {
    if let earlier = incoming[replica.group] {
      guard !earlier.isBusy else { return false }
      drop(earlier, of: replica.group)
    }
    let partition = replica.machine as? Partition
    // The catalog is small; it goes on in the reserve.
    guard partition == nil || !node.space.isFull else { return false }
    guard received[replica.group] == nil, partition?.beginReceiving() ?? true else { return false }
    incoming[replica.group] = IncomingTransfer(
      number: chunk.transfer, sender: sender, directory: partition?.directory, startedAt: node.now)
    return true
  }

  /// Drops a state that is on its way here, unless a part of it is just being written.
  func giveUp(_ group: GroupID) {
    if let transfer = incoming[group] {
      if !transfer.isBusy { drop(transfer, of: group) }
    } else {
      dropUnwanted(group: group)
    }
  }

  private func drop(_ transfer: IncomingTransfer, of group: GroupID) {
    incoming[group] = nil
    node.host.run(.background) { [sink = transfer.sink] in
      sink.abandon()
    } then: { [self] in
      (node.replicas[group]?.machine as? Partition)?.endReceiving()
    }
  }

  private func answer(
    _ chunk: WireSnapshotChunk, to sender: NodeID, _ fill: (inout WireSnapshotCredit) -> Void
  ) {
    var credit = WireSnapshotCredit()
    credit.group = chunk.group
    credit.to = chunk.from
    credit.from = chunk.to
    credit.transfer = chunk.transfer
    credit.sequence = chunk.sequence
    fill(&credit)
    node.host.send(.snapshotCredit(credit), to: sender)
  }

  /// Takes out the state that the core now wants installed. One that it doesn't want is dropped.
  func takeReceived(group: GroupID, header: SnapshotHeader) -> ReceivedState? {
    guard received[group]?.point == header else {
      dropUnwanted(group: group)
      return nil
    }
    return received.removeValue(forKey: group)
  }

  /// Drops a received state that the core had no use for: it had caught up by the log meanwhile.
  func dropUnwanted(group: GroupID) {
    guard !received.isEmpty, let state = received.removeValue(forKey: group) else { return }
    node.host.run(.background) {
      state.sink.abandon()
    } then: { [self] in
      (node.replicas[group]?.machine as? Partition)?.endReceiving()
    }
  }
}
