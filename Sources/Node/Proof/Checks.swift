import Bytes
import Environment
import HashRing
import Merkle
import Raft
import Store
import Wire

/// This node's part in checks: its replicas' states held at a log entry, read from the disk by workers, shown to the
/// leader that compares them.
final class Checks {
  private unowned let node: Node
  private var held: [UInt64: HeldCheck] = [:]

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

  /// The partition's files are about to change by other means than its own jobs: nothing of it can be held.
  func drop(_ group: GroupID) {
    held = held.filter { $0.value.group != group }
  }

  func tick() {
    guard !held.isEmpty else { return }
    held = held.filter { $0.value.expires > node.now }
    for id in held.keys.sorted() { advance(id) }
  }

  // MARK: Steps

  /// Carries out a step that the partition's leader asks for.
  func answer(_ request: WireCheckRequest) -> WireCheckResponse {
    if request.step == .prepare { return prepare(request) }
    guard let check = held[request.check], check.replica.rawValue == request.replica else { return WireCheckResponse() }
    check.expires = node.now.advanced(milliseconds: Limits.checkPatienceMilliseconds)
    switch request.step {
    case .end:
      held[request.check] = nil
      return WireCheckResponse()
    case .scan:
      begin(check, request)
      advance(request.check)
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
    held[request.check] = HeldCheck(partition, isQuick: request.quick, expires: expires)
    return .with { $0.state = .waiting }
  }

  private func report(_ check: HeldCheck) -> WireCheckResponse {
    guard let state = check.held else { return .with { $0.state = .waiting } }
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
    guard let digest = scan.progress?.digest else { return response }
    response.state = .done
    response.records = digest.records
    response.recordBytes = digest.bytes
    response.damage = digest.damage.prefix(Limits.damageListed).map(WireFileDamage.init)
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
    check.scan = HeldCheck.Scan(job: job, scope: scope, rate: request.rate)
  }

  /// Has a worker read on, unless one does, or the rate says to wait.
  private func advance(_ id: UInt64) {
    guard let check = held[id] else { return }
    if let scan = check.scan, !scan.isBusy, scan.progress?.digest == nil, node.now >= scan.resumeAt {
      read(id, check, scan)
    } else if let listing = check.listing, !listing.isBusy, case .more = listing.outcome {
      read(id, check, listing)
    }
  }

  private func read(_ id: UInt64, _ check: HeldCheck, _ scan: HeldCheck.Scan) {
    check.scan?.isBusy = true
    let job = scan.job
    // At a rate as much as it gives between two ticks, so that it is spread evenly.
    let perTick = Int(clamping: scan.rate / (1000 / Node.tickMilliseconds))
    let bytes = scan.rate == 0 ? Limits.scanStepBytes : min(max(perTick, 4096), Limits.scanStepBytes)
    node.host.run(.check) {
      let progress = job.step(bytes: bytes)
      return (progress, progress.digest?.leaves.flatMap(SumTree.init))
    } then: { [self] (progress, tree) in
      guard held[id] === check else { return }
      if scan.rate > 0 {
        let read = progress.done - min(progress.done, scan.progress?.done ?? 0)
        check.scan?.resumeAt = node.now.advanced(milliseconds: read * 1000 / scan.rate)
      }
      check.scan?.isBusy = false
      check.scan?.progress = progress
      check.scan?.tree = tree
      note(progress.digest?.damage ?? [], in: check.group)
      advance(id)
      node.pump()
    }
  }

  private func note(_ damage: [StoreDamage], in group: GroupID) {
    guard !damage.isEmpty else { return }
    for found in damage { node.damage.note(found) }
    if let partition = node.replicas[group]?.machine as? Partition { node.damageReports.report(partition) }
  }

  private func read(_ id: UInt64, _ check: HeldCheck, _ listing: HeldCheck.Listing) {
    check.listing?.isBusy = true
    let job = listing.job
    node.host.run(.check) {
      job.step(bytes: Limits.scanStepBytes)
    } then: { [self] outcome in
      guard held[id] === check, check.listing?.job === job else { return }
      check.listing?.isBusy = false
      check.listing?.outcome = outcome
      advance(id)
      node.pump()
    }
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
    advance(request.check)
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
