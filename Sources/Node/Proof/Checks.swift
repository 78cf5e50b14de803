import Bytes
import Environment
import HashRing
import Log
import Merkle
import Raft
import Store
import Wire

/// This node's part in checks: its replicas' states held at a log entry, read from the disk by workers, shown to the
/// leader that compares them.
final class Checks {
  private unowned let node: Node
  private var held: [UInt64: HeldCheck] = [:]
  /// How many there were: those that came first are read first, so that all nodes are about the same one.
  private var prepared: UInt64 = 0
  /// Those for which the worker reads, or will next.
  private var reading: Set<UInt64> = []

  init(node: Node) {
    self.node = node
  }

  /// The number of checks for which something is held.
  var count: Int { held.count }

  // MARK: The log

  /// A check's entry was applied.
  func reached(_ mark: CheckMark, at index: LogIndex, _ partition: Partition) {
    guard let check = held[mark.check], check.replica == partition.replicaID, check.held == nil else { return }
    check.hold(partition, at: index)
  }

  /// A partition has applied what there was to apply.
  func caughtUp(_ group: GroupID) {
    guard !held.isEmpty else { return }
    for id in held.keys.sorted() where held[id]?.group == group { settle(id) }
  }

  /// The partition's files are about to change by other means than its own jobs: nothing of it can be held.
  func drop(_ group: GroupID) {
    letGo { $0.group == group }
  }

  func tick() {
    guard !held.isEmpty else { return }
    letGo { $0.expires <= node.now }
    advance()
    for id in held.keys.sorted() { settle(id) }
  }

  /// The log was read for a round of checks.
  func readLog() {
    for id in held.keys.sorted() { settle(id) }
  }

  private func letGo(_ isOver: (HeldCheck) -> Bool) {
    for id in held.keys.sorted() {
      guard let check = held[id], isOver(check) else { continue }
      held[id] = nil
      for waiter in check.waiters { waiter.reply(WireCheckResponse()) }
    }
  }

  // MARK: Steps

  /// Carries out a step that the partition's leader asks for. Where that takes time the answer comes when it is done, or
  /// says after a while how far it is.
  func answer(_ request: WireCheckRequest, reply: @escaping (WireCheckResponse) -> Void) {
    let answer = carryOut(request)
    guard request.step != .prepare, answer.isPending, let check = held[request.check] else { return reply(answer) }
    let until = node.now.advanced(milliseconds: Limits.checkHoldMilliseconds)
    check.waiters.append(HeldCheck.Waiter(request: request, until: until, reply: reply))
  }

  /// Answers those that wait for a check, as far as there is something to say.
  private func settle(_ id: UInt64) {
    guard let check = held[id], !check.waiters.isEmpty else { return }
    let waiters = check.waiters
    check.waiters = []
    for waiter in waiters {
      let answer = carryOut(waiter.request)
      if answer.isPending, waiter.until > node.now, held[id] === check {
        check.waiters.append(waiter)
      } else {
        waiter.reply(answer)
      }
    }
  }

  private func carryOut(_ request: WireCheckRequest) -> WireCheckResponse {
    if request.step == .prepare { return prepare(request) }
    guard let check = held[request.check], check.replica.rawValue == request.replica else { return WireCheckResponse() }
    check.expires = node.now.advanced(milliseconds: Limits.checkPatienceMilliseconds)
    switch request.step {
    case .end:
      letGo { $0 === check }
      return WireCheckResponse()
    case .scan:
      begin(check, request)
      advance()
      return report(check)
    case .descend: return descend(check, request)
    case .list: return list(check, request)
    case .report, .prepare, .fence, .unknown, .UNRECOGNIZED: return report(check)
    }
  }

  private func prepare(_ request: WireCheckRequest) -> WireCheckResponse {
    guard let partition = node.replicas[GroupID(rawValue: request.group)]?.machine as? Partition,
      partition.replicaID.rawValue == request.replica, partition.hasState,
      held.count < (request.quick ? Limits.quickChecks : Limits.heldChecks)
    else { return WireCheckResponse() }
    let expires = node.now.advanced(milliseconds: Limits.checkPatienceMilliseconds)
    prepared += 1
    held[request.check] = HeldCheck(partition, number: prepared, isQuick: request.quick, expires: expires)
    return .with { $0.state = .waiting }
  }

  private func report(_ check: HeldCheck) -> WireCheckResponse {
    guard let state = check.held else {
      return .with {
        $0.state = .waiting
        $0.trouble = node.replicas[check.group]?.problem ?? ""
      }
    }
    var response = WireCheckResponse()
    response.state = .held
    response.index = state.index.rawValue
    response.floor = state.retention.floor.rawValue
    response.pins = state.retention.pins.map(\.rawValue)
    response.stateDigest = .init(state.stateDigest)
    if check.isQuick {
      response.state = .done
      response.root = .init(state.sum)
    }
    guard let scan = check.scan else { return response }
    response.state = .running
    response.at = scan.scope.at?.rawValue ?? 0
    response.bytesDone = scan.progress?.done ?? 0
    response.bytesTotal = scan.progress?.total ?? 0
    guard let digest = scan.progress?.digest, let faults = node.logScrubs.faults(scan.round, of: check.group) else {
      return response
    }
    response.state = .done
    response.records = digest.records
    response.recordBytes = digest.bytes
    let damage = faults.map(WireFileDamage.init) + digest.damage.map(WireFileDamage.init)
    response.damage = Array(damage.prefix(Limits.damageListed))
    if let tree = scan.tree { response.root = .init(tree.root) }
    return response
  }

  // MARK: Reading

  private func begin(_ check: HeldCheck, _ request: WireCheckRequest) {
    guard check.scan == nil, let state = check.held, let view = state.view else { return }
    let arc = check.arc
    let retention = Retention(
      floor: max(Version(rawValue: request.floor), state.retention.floor),
      pins: request.pins.prefix(Limits.checkPins).map { Version(rawValue: $0) })
    let scope = LifeScope(
      retention: retention, prefix: request.prefix.array, at: request.at == 0 ? nil : Version(rawValue: request.at))
    let job = ViewScan(view, scope, slices: 1 << Limits.sliceBits) { HeldCheck.slice(of: $0, in: arc) }
    check.scan = HeldCheck.Scan(job: job, scope: scope, rate: request.rate, round: request.round)
    node.logScrubs.begin(request.round)
  }

  /// Has the worker read on for the checks that came first, of those that have something to read and may at their rate.
  private func advance() {
    while reading.count < Limits.checksRead {
      let waiting = held.filter { !reading.contains($0.key) && $0.value.reading(at: node.now) != nil }
      guard let (id, check) = waiting.min(by: { $0.value.number < $1.value.number }) else { return }
      reading.insert(id)
      switch check.reading(at: node.now) {
      case .scan(let scan): read(id, check, scan)
      case .listing(let listing): read(id, check, listing)
      case nil: break
      }
    }
  }

  private func hasRead(_ id: UInt64) {
    reading.remove(id)
    advance()
    settle(id)
    node.pump()
  }

  private func read(_ id: UInt64, _ check: HeldCheck, _ scan: HeldCheck.Scan) {
    let job = scan.job
    // At a rate as much as it gives between two ticks, so that it is spread evenly.
    let perTick = Int(clamping: scan.rate / (1000 / Node.tickMilliseconds))
    let bytes = scan.rate == 0 ? Limits.scanStepBytes : min(max(perTick, 4096), Limits.scanStepBytes)
    node.host.run(.check) {
      let progress = job.step(bytes: bytes)
      return (progress, progress.digest?.leaves.map(SumTree.init))
    } then: { [self] (progress, tree) in
      if scan.rate > 0 {
        let read = progress.done - min(progress.done, check.scan?.progress?.done ?? 0)
        check.scan?.resumeAt = node.now.advanced(milliseconds: read * 1000 / scan.rate)
      }
      check.scan?.progress = progress
      check.scan?.tree = tree
      if held[id] === check, let digest = progress.digest { note(digest.damage, of: check) }
      hasRead(id)
    }
  }

  private func read(_ id: UInt64, _ check: HeldCheck, _ listing: HeldCheck.Listing) {
    let job = listing.job
    node.host.run(.check) {
      job.step(bytes: Limits.scanStepBytes)
    } then: { [self] outcome in
      if check.listing?.job === job { check.listing?.outcome = outcome }
      hasRead(id)
    }
  }

  private func note(_ damage: [StoreDamage], of check: HeldCheck) {
    for found in damage { node.damage.note(found) }
    // Another replica may have its place by now.
    guard let partition = node.replicas[check.group]?.machine as? Partition, partition.replicaID == check.replica else {
      return
    }
    guard damage.isEmpty else { return node.damageReports.report(partition) }
    let isMarked = node.catalog.catalog?.isDamaged(check.replica, of: check.group) == true
    node.damage.noteSound(isMarked ? check.replica : nil, in: partition.directory)
  }

  // MARK: Details

  private func descend(_ check: HeldCheck, _ request: WireCheckRequest) -> WireCheckResponse {
    let levels = Int(request.levels)
    guard let tree = check.scan?.tree, request.nodes.count <= TreeDescent.width, levels <= TreeDescent.stepLevels,
      request.nodes.allSatisfy({ tree.has(Int($0), levels: levels) })
    else { return report(check) }
    var response = WireCheckResponse()
    response.state = .done
    response.nodes = .init(request.nodes.flatMap { tree.descendants(of: Int($0), levels: levels) })
    return response
  }

  private func list(_ check: HeldCheck, _ request: WireCheckRequest) -> WireCheckResponse {
    guard let view = check.held?.view, let scan = check.scan, scan.tree != nil,
      request.slices.count <= TreeDescent.width
    else { return WireCheckResponse() }
    let start = request.fromKey.array
    if check.listing?.slices != request.slices || check.listing?.start != start {
      let wanted = Set(request.slices.map { Int($0) })
      let arc = check.arc
      let job = ViewListing(
        view, scan.scope, from: start.isEmpty ? nil : Key(start), limit: Limits.listedRecords
      ) { wanted.contains(HeldCheck.slice(of: $0, in: arc)) }
      check.listing = HeldCheck.Listing(slices: request.slices, start: start, job: job)
    }
    advance()
    var response = WireCheckResponse()
    switch check.listing?.outcome {
    case .done(let records, let isCut):
      response.state = .done
      response.listed = records.map(WireListedRecord.init)
      response.more = isCut
    case .more: response.state = .running
    case .failed, nil: break
    }
    return response
  }
}

extension WireCheckResponse {
  /// Whether there will be more to say.
  fileprivate var isPending: Bool { state == .waiting || state == .running }
}

extension WireFileDamage {
  init(_ damage: StoreDamage) {
    self.init()
    path = damage.path
    offset = damage.offset
    words = damage.words
    guard let last = damage.through else { return }
    concernsRecords = true
    after = .init(damage.after?.bytes ?? [])
    through = .init(last.bytes)
  }
}

extension WireFileDamage {
  init(_ fault: LogFault) {
    self.init()
    path = fault.path
    offset = UInt64(fault.offset)
    words = fault.words
    mendsItself = true
  }
}

extension WireListedRecord {
  init(_ life: ListedLife) {
    self.init()
    key = .init(life.key.bytes)
    from = life.from.rawValue
    to = life.to.rawValue
    valueBytes = UInt32(clamping: life.valueBytes)
    digest = .init(life.digest)
  }
}
