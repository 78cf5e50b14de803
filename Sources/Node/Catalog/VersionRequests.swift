import Bytes
import Environment
import Wire

/// Brings versions from the oracle to this node's partitions. One request is under way at a time and carries what all
/// partitions wanted when it left: a version is never asked for before the writes that will have it have arrived.
///
/// The next request for writes waits until the log has begun to write what the one before brought: writes that would
/// only wait for the log gather here instead, and cross the network in fewer and larger entries.
final class VersionRequests {
  /// SAFETY: the node owns this, and outlives every call into it.
  private unowned(unsafe) let node: Node
  /// Partitions with writes that wait for versions.
  private var wanting: [Partition] = []
  /// Who wants to know the latest version.
  private var asking: [(Version?) -> Void] = []
  private var isUnderWay = false
  /// The highest version of which this node has heard: reads up to it need no question to the oracle.
  private(set) var known = Version.zero

  init(node: Node) {
    self.node = node
  }

  /// Whether `pump` would send a request.
  var hasWork: Bool { !isUnderWay && (!asking.isEmpty || !wanting.isEmpty && logIsOpen) }

  private var logIsOpen: Bool { !node.pipeline.holdsProposals }

  /// A partition has writes that want versions.
  func wanted(by partition: Partition) {
    if !wanting.contains(where: { $0 === partition }) { wanting.append(partition) }
  }

  /// Gives a version at or above every one given out before this call; nil if the oracle can't be reached now.
  func latest(_ done: @escaping (Version?) -> Void) {
    asking.append(done)
  }

  /// A version was seen in a log: it has been given out.
  func learned(_ version: Version) {
    known = max(known, version)
  }

  /// A member says that it knows a version. One far in the future is a mistake: versions that ran ahead never come back.
  func heard(_ version: Version) {
    let latest = Version(milliseconds: node.host.clock.wallMilliseconds + Limits.knownVersionLeadMilliseconds)
    if version <= latest { learned(version) }
  }

  /// Tries again what found no oracle.
  func tick() {
    for partition in node.partitions where partition.writes.hasQueued { wanted(by: partition) }
  }

  /// Sends the next request, if one is wanted and none is under way.
  func pump() {
    guard hasWork else { return }
    var shares: [(partition: Partition, count: Int)] = []
    for partition in logIsOpen ? wanting : [] {
      guard let replica = partition.replica, replica.leads else { continue }
      guard let bytes = partition.takeTurn() else { continue }
      guard let batch = partition.writes.startBatch(term: replica.core.term, maxBytes: bytes) else { continue }
      partition.tookTurn(batch.bytes)
      shares.append((partition, batch.count))
    }
    if logIsOpen { wanting.removeAll(keepingCapacity: true) }
    let questions = asking
    asking.removeAll(keepingCapacity: true)
    let total = shares.reduce(0) { $0 + $1.count }
    guard total > 0 || !questions.isEmpty else { return }
    isUnderWay = true
    ask(UInt32(total)) { [self] first in
      isUnderWay = false
      deliver(first, shares: shares, questions: questions)
      node.pump()
    }
  }

  private func deliver(
    _ first: Version?, shares: [(partition: Partition, count: Int)], questions: [(Version?) -> Void]
  ) {
    var next = first
    for (partition, count) in shares {
      partition.writes.received(first: next, in: partition)
      next = next?.advanced(by: UInt64(count))
      if partition.writes.hasQueued { wanted(by: partition) }
    }
    let total = UInt64(shares.reduce(0) { $0 + $1.count })
    let last = first.map { total == 0 ? $0 : $0.advanced(by: total - 1) }
    if let last { learned(last) }
    for done in questions { done(last) }
  }

  private func ask(_ count: UInt32, _ done: @escaping (Version?) -> Void) {
    let request = WireRequest.with {
      $0.versions = .with {
        $0.count = count
        $0.known = known.rawValue
      }
    }
    let deadline = node.now.advanced(milliseconds: Limits.oracleMilliseconds)
    node.router.route(request, to: .catalog, deadline: deadline) { body in
      guard case .versions(let response) = body else { return done(nil) }
      done(Version(rawValue: response.first))
    }
  }
}
