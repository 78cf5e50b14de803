import Bytes
import Environment
import Raft
import Wire

/// The state machine of the catalog's replica on this node. Every node has one, voter or learner, and so knows the
/// members and the partition map; the leader's also runs the oracle.
final class CatalogMachine: GroupMachine {
  private unowned let node: Node
  /// Nil only on a node that has joined and not yet heard from the catalog.
  private(set) var catalog: Catalog?
  private var oracle: Oracle?
  /// Requests for versions that wait for a higher ceiling.
  private var waitingForCeiling: [(count: UInt64, done: (Version?) -> Void)] = []
  /// Who waits for a command to be applied, in log order.
  private var proposals: [(index: LogIndex, term: Term, done: (ProposalOutcome) -> Void)] = []
  private var isSaving = false
  /// Whether the members have changed since the file was written: a node whose log is damaged finds them there.
  private var membersAreNews = false
  /// Whether the file names the members and replicas that the catalog does.
  var fileKnowsReplicas: Bool { !membersAreNews && !isSaving }
  /// Whether a received state is being put in the place of this one, which must not be saved over it any more.
  private var isInstalling = false
  private var savedIndex = LogIndex.zero

  /// What became of a command.
  enum ProposalOutcome {
    case applied
    case refused(Catalog.Refusal)
    /// Certainly not applied.
    case notDone(String)
    case unknown
  }

  init(node: Node) {
    self.node = node
  }

  var replica: GroupReplica? { node.replicas[.catalog] }

  /// Sets the state that was found on disk.
  func restore(_ catalog: Catalog, savedIndex: LogIndex) {
    self.catalog = catalog
    self.savedIndex = savedIndex
    tellRevoked()
    tellTrust()
  }

  private func tellRevoked() {
    node.host.revoked(catalog?.revokedSerials ?? [])
  }

  private func tellTrust() {
    if let catalog { node.host.trustChanged(catalog.trust) }
  }

  /// The number of requests that wait for the catalog's log.
  var waitingCount: Int { waitingForCeiling.count + proposals.count }

  // MARK: Commands

  /// Proposes a command; only on the leader.
  func propose(_ command: WireCatalogCommand, _ done: @escaping (ProposalOutcome) -> Void) {
    guard let replica, replica.leads else { return done(.notDone("this node does not lead the catalog")) }
    do {
      let (term, index) = try replica.propose(command.encoded)
      proposals.append((index, term, done))
    } catch {
      done(.notDone("the catalog's log takes no entry now: \(error)"))
    }
  }

  func isReady(for entry: LogEntry) -> Bool { true }

  func apply(_ entry: LogEntry) {
    let outcome = entry.payload.isEmpty ? nil : apply(payload: entry.payload, at: entry.index)
    while let proposal = proposals.first, proposal.index <= entry.index {
      proposals.removeFirst()
      guard proposal.index == entry.index, proposal.term == entry.term, let outcome else {
        proposal.done(.notDone("another leader's entry took the command's place"))
        continue
      }
      proposal.done(outcome)
    }
  }

  private func apply(payload: [UInt8], at index: LogIndex) -> ProposalOutcome? {
    guard let command = WireCatalogCommand(untrusted: payload), command.body != nil else {
      // An unknown command is never skipped: later ones may depend on it (DESIGN §5).
      node.host.fatal("catalog: log entry \(index) holds a command that this release does not know")
      return nil
    }
    guard catalog != nil else {
      node.host.fatal("catalog: log entry \(index) arrived before any state")
      return nil
    }
    do throws(Catalog.Refusal) {
      try catalog?.apply(command)
    } catch {
      return .refused(error)
    }
    switch command.body {
    case .raiseCeiling:
      if let ceiling = catalog?.ceiling { oracle?.raised(to: ceiling) }
      serveWaiting()
    case .addNode, .setAddress, .setPlace:
      membersAreNews = true
      tellMembers()
    case .departNode, .removeNode:
      membersAreNews = true
      node.planner.mapChanged()
      tellMembers()
      node.leaveIfRemoved()
    case .changePartition, .confirmPartition, .beginSplit, .confirmSplit, .reportDamage:
      node.planner.mapChanged()
    case .raiseFloor, .createSnapshot, .deleteSnapshot:
      node.applyRetention()
    case .replaceReplica, .recover:
      membersAreNews = true
      node.planner.mapChanged()
      tellMembers()
    case .revokeCertificates:
      tellRevoked()
    case .beginRotation, .endRotation:
      tellTrust()
    case .raiseFormat:
      node.formatRise.risen()
    case .addToken, .setRetention, .setSpace, .setMoveRate, .addCertificate, nil:
      break
    }
    return .applied
  }

  private func tellMembers() {
    guard let catalog else { return }
    node.host.membersChanged(catalog.members, refused: catalog.refused)
  }

  func roleChanged() {
    oracle = nil
    let (ended, starved) = (proposals, waitingForCeiling)
    proposals.removeAll()
    waitingForCeiling.removeAll()
    for proposal in ended { proposal.done(.unknown) }
    for waiter in starved { waiter.done(nil) }
  }

  func membershipChanged() {
    node.planner.reconcileCatalog()
  }

  func caughtUp() {
    saveIfDue()
  }

  func tick() {
    node.planner.reconcileCatalog()
  }

  var needsTicks: Bool { true }

  // MARK: Oracle

  /// Versions from the oracle: the first of `count`, or a latest one where `count` is 0. Nil where this node can't be sure
  /// that it alone is the oracle now.
  func takeVersions(_ count: UInt64, _ done: @escaping (Version?) -> Void) {
    guard let wall = oracleTime else { return done(nil) }
    hear(of: node.versions.known)
    if count == 0, let last = oracle?.latest, wall <= last.milliseconds + latestAge { return done(last) }
    let count = max(1, count)
    guard waitingForCeiling.isEmpty,
      let first = oracle?.take(count, wallMilliseconds: wall)
    else {
      waitingForCeiling.append((count, done))
      return raiseCeiling(wall)
    }
    done(first)
  }

  private func hear(of known: Version) {
    guard oracle?.heard(of: known) == true else { return }
    node.host.log(
      .error,
      "version \(known) was given out before, and the catalog's log knows of none that high: it is an older copy, or has "
        + "lost its end; new versions lie above that one all the same")
  }

  /// The last version that was given out, however long ago; nil as for `takeVersions`.
  var lastGivenOut: Version? { oracleTime == nil ? nil : oracle?.last }

  /// The time by which versions are given out; nil where this node can't be sure that it alone does that.
  private var oracleTime: UInt64? {
    guard let replica, let catalog, replica.leads, replica.core.leaseHolds(now: node.now.rawValue),
      let wall = node.clocks.wallMilliseconds()
    else { return nil }
    if oracle == nil { oracle = Oracle(ceiling: catalog.ceiling) }
    return wall
  }

  /// How old a latest version may be. What begins behind it, such as a watch, must not be behind the floor when the next
  /// write lets that rise, however long nothing was written before.
  private var latestAge: UInt64 {
    min(Limits.latestVersionMilliseconds, (catalog?.retentionMilliseconds ?? 0) / 4)
  }

  private func raiseCeiling(_ wall: UInt64) {
    let wanted = waitingForCeiling.reduce(0) { $0 + $1.count }
    guard let ceiling = oracle?.raise(for: wanted, wallMilliseconds: wall) else { return }
    propose(.with { $0.raiseCeiling = ceiling.rawValue }) { [self] outcome in
      if case .applied = outcome { return }
      oracle?.raiseFailed()
      let starved = waitingForCeiling
      waitingForCeiling.removeAll()
      for waiter in starved { waiter.done(nil) }
    }
  }

  private func serveWaiting() {
    let waiting = waitingForCeiling
    waitingForCeiling.removeAll()
    for waiter in waiting { takeVersions(waiter.count, waiter.done) }
  }

  // MARK: State on disk and on its way

  private var point: SnapshotHeader? {
    guard let replica else { return nil }
    return SnapshotHeader(
      index: replica.applied.index, term: replica.applied.term, membership: replica.core.membership)
  }

  func captureState() -> CapturedState? {
    guard let point, let catalog else { return nil }
    return CapturedState(point: point, state: catalog.state.encoded, nextChunk: nil)
  }

  private func saveIfDue() {
    guard let replica else { return }
    if membersAreNews || replica.applied.index - savedIndex >= Limits.catalogEntriesBetweenSaves { flush() }
  }

  var flushedIndex: LogIndex { savedIndex }

  /// The catalog is small, however many commands it takes.
  var isSaturated: Bool { false }

  func flush() { flush(again: false) }

  /// Saves the state: where it has changed, or again because what was saved is damaged.
  func flush(again: Bool) {
    guard !isSaving, !isInstalling, let state = captureState(), again || state.point.index > savedIndex else { return }
    isSaving = true
    membersAreNews = false
    let storage = node.storage
    node.host.run(.background) {
      storage.saveCatalog(state)
    } then: { [self] failure in
      isSaving = false
      if let failure {
        guard failure.isDiskFull else { return node.host.fatal("the catalog can't be saved: \(failure)") }
        return node.space.ranOut(failure)
      }
      savedIndex = state.point.index
      replica?.flushed(through: savedIndex)
      saveIfDue()
      node.pump()
    }
  }

  func install(_ received: ReceivedState, done: @escaping (Bool) -> Void) {
    guard let state = WireCatalogState(untrusted: received.state), let catalog = try? Catalog(state) else {
      node.host.log(.error, "the catalog's state from node \(received.sender) is malformed; it was dropped")
      return done(false)
    }
    let storage = node.storage
    let captured = CapturedState(point: received.point, state: received.state, nextChunk: nil)
    isInstalling = true
    node.host.run(.background) {
      storage.saveCatalog(captured)
    } then: { [self] failure in
      isInstalling = false
      if let failure {
        guard failure.isDiskFull else { return node.host.fatal("the catalog can't be saved: \(failure)") }
        node.space.ranOut(failure)
        return done(false)
      }
      restore(catalog, savedIndex: received.point.index)
      tellMembers()
      done(true)
      node.applyRetention()
      node.planner.mapChanged()
      node.leaveIfRemoved()
      node.pump()
    }
  }
}
