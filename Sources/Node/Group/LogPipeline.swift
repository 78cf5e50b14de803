import Bytes
import Log

/// Group commit: gathers what all groups of the node have for the shared log while the batch before is being
/// written, then hands it over as one write and one fsync.
final class LogPipeline {
  private unowned let node: Node
  private let log: SharedLog
  private var writes: [LogWrite] = []
  private var tickets: [(replica: GroupReplica, ticket: UInt64)] = []
  private var needsSync = false
  private var isBusy = false
  /// Whether entries that a leader here has proposed wait for the batch before to be written.
  private(set) var holdsProposals = false
  /// Called when the pipeline next runs dry.
  private var idleCallbacks: [() -> Void] = []

  init(node: Node, log: SharedLog) {
    self.node = node
    self.log = log
  }

  /// The number of writes that wait for the next batch.
  var waitingCount: Int { writes.count }

  /// Adds to the next batch. When it is durable, the replica is told its ticket.
  func append(_ write: LogWrite, for replica: GroupReplica?, ticket: UInt64, mustSync: Bool) {
    writes.append(write)
    if let replica, !write.entries.isEmpty, replica.core.isLeader { holdsProposals = true }
    if let replica { tickets.append((replica, ticket)) }
    needsSync = needsSync || mustSync
  }

  /// Calls back once everything appended so far is in the log.
  func whenIdle(_ done: @escaping () -> Void) {
    guard isBusy || !writes.isEmpty else { return done() }
    idleCallbacks.append(done)
  }

  /// Starts writing the batch unless one is being written. Called at the end of each pump.
  func start() {
    guard !isBusy, !writes.isEmpty else { return }
    isBusy = true
    holdsProposals = false
    let (batch, waiting, sync) = (writes, tickets, needsSync)
    writes.removeAll(keepingCapacity: true)
    tickets.removeAll(keepingCapacity: true)
    needsSync = false
    let budget = node.logBudget
    node.host.run(.log) { [log] in
      Result { () throws(LogError) in
        try log.append(batch, sync: sync)
        return log.pinningGroups(beyond: budget)
      }
    } then: { [self] result in
      isBusy = false
      switch result {
      case .success(let pinning):
        for (replica, ticket) in waiting { replica.persisted(ticket: ticket) }
        for group in pinning { node.replicas[group]?.release() }
      case .failure(let error):
        // Nothing that the batch covered is ever acknowledged (DESIGN §5).
        return node.host.fatal("the log can't be written: \(error)")
      }
      if writes.isEmpty {
        let callbacks = idleCallbacks
        idleCallbacks.removeAll()
        for done in callbacks { done() }
      }
      node.pump()
    }
  }
}
