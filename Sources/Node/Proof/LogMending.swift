import Bytes
import Log

/// Mends the node's log where a reading of it found faults: what damaged segments said is still in memory, and only the
/// next start would miss it. All of it is flushed, or written anew, until no group needs the segments any more.
final class LogMending {
  private unowned let node: Node
  /// The first fault of each segment that is still needed.
  private var faults: [UInt64: LogFault] = [:]
  private var isBusy = false

  init(node: Node) {
    self.node = node
  }

  /// Mends what was found of replicas that are here. Where it can't now, it is tried again: by the next reading, or when
  /// there is room on the disk.
  func begin(_ all: [LogFault]) {
    let found = all.filter { $0.groups.contains { node.replicas[$0] != nil } }
    for fault in found where faults[fault.sequence] == nil {
      faults[fault.sequence] = fault
      node.host.log(
        .error, "the log is damaged, and is written anew: \(fault.path): at byte \(fault.offset): \(fault.words)")
    }
    if !found.isEmpty { advance() }
  }

  func tick() {
    if !faults.isEmpty, !node.space.isFull { advance() }
  }

  /// Whether the node has something in memory that the log should have, and has no more.
  var isUnderWay: Bool { !faults.isEmpty }

  /// What an operator should know.
  var problem: String? {
    guard let first = faults.values.min(by: { $0.sequence < $1.sequence }) else { return nil }
    return "the log is damaged, and what it has is being written anew: until then don't kill the node, which has it in "
      + "memory (\(first.path): at byte \(first.offset): \(first.words))"
  }

  private func advance() {
    guard !isBusy else { return }
    isBusy = true
    let damaged = Set(faults.keys)
    node.host.run(.log) { [log = node.storage.log] in
      Result { () throws(LogError) in try log.mend(damaged) }
    } then: { [self] result in
      isBusy = false
      switch result {
      case .success(let groups): renew(groups.compactMap { node.replicas[$0] }, damaged)
      case .failure(.full(let error)): node.space.ranOut(error)
      case .failure(let error): return node.host.fatal("the log can't be written: \(error)")
      }
      node.pump()
    }
  }

  /// Has replicas do without what the damaged segments have of them. It is over when none is left: who else needs them
  /// has lost what they say already, and waits for a replica in its place.
  private func renew(_ replicas: [GroupReplica], _ damaged: Set<UInt64>) {
    guard replicas.isEmpty else { return replicas.forEach { $0.renewLog() } }
    for sequence in damaged.sorted() {
      guard let fault = faults.removeValue(forKey: sequence) else { continue }
      node.host.log(.info, "no replica here needs \(fault.path) any more: the log is mended, and nothing was lost")
    }
    node.logScrubs.mended()
  }
}
