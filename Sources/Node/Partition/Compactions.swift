import Bytes
import Environment
import Store

/// The compactions of all stores of the node, which share one worker: one at a time, the most urgent first, slice by
/// slice, at the pace that their debt asks for.
final class Compactions {
  private unowned let node: Node
  private var pacer = CompactionPacer()
  /// The partition whose compaction is under way, and its job.
  private var running: (partition: Partition, job: CompactionJob)?
  private var isBusy = false
  private var resumeAt = Moment(rawValue: 0)

  init(node: Node) {
    self.node = node
  }

  /// Goes on with what is under way when its pause is over, and looks at every round for what retention or a retry made
  /// due.
  func tick(isRound: Bool) {
    if running != nil || isRound { advance() }
  }

  /// Starts what is due, or goes on with what is under way.
  func advance() {
    guard !isBusy else { return }
    if running == nil { running = next() }
    guard running != nil, node.now >= resumeAt else { return }
    slice()
  }

  private func next() -> (Partition, CompactionJob)? {
    let due = node.partitions.filter { !$0.isReceiving && $0.jobs.mayCompact(now: node.now) }
      .map { (partition: $0, urgency: $0.store.urgency) }
    guard let first = due.max(by: { $0.urgency < $1.urgency }), first.urgency > 0,
      let job = first.partition.store.nextCompaction()
    else { return nil }
    first.partition.jobs.isCompacting = true
    return (first.partition, job)
  }

  private func slice() {
    guard let (partition, job) = running else { return }
    isBusy = true
    node.host.run(.background) {
      job.step(bytes: CompactionPacer.sliceBytes)
    } then: { [self] result in
      isBusy = false
      if let result {
        running = nil
        partition.compacted(result)
      } else {
        pace()
      }
      advance()
      node.pump()
    }
  }

  private func pace() {
    let stores = node.partitions.map(\.store)
    let debt = stores.reduce(0) { $0 + $1.debtBytes }
    let pressure = stores.reduce(WritePressure.none) { $0.worse($1.pressure) }
    let pause = pacer.pause(
      after: CompactionPacer.sliceBytes, debt: debt, pressure: pressure, at: node.now.rawValue)
    resumeAt = Moment(rawValue: node.now.rawValue + pause)
  }
}
