import Bytes
import Environment
import HashRing
public import Wire

// Requests from outside: who may ask what, and who answers it.
extension Node {
  /// Takes a request in. `reply` is called once, with the answer or a failure, before the request's time is over by
  /// the node's clock or soon after.
  public func handle(_ request: WireRequest, from caller: Caller, reply: @escaping Reply) {
    guard let body = request.body else {
      return reply(WireFailure.because(.invalid, "the request is empty, or of a newer release"))
    }
    if let refusal = refusal(of: body, to: caller) { return reply(WireFailure.because(.refused, refusal)) }
    let patience = min(UInt64(request.timeoutMs == 0 ? 5_000 : request.timeoutMs), Limits.requestMilliseconds)
    // Some of the caller's patience is left for the answer's way back, and for the tick at which it is given.
    let deadline = now.advanced(
      milliseconds: patience - min(patience / 10, 100) - min(patience / 2, Node.tickMilliseconds))
    switch body {
    case .write(let write):
      guard !write.key.isEmpty else { return reply(WireFailure.because(.invalid, "the key is empty")) }
      route(request, key: write.key, deadline, reply)
    case .batch(let batch):
      guard let key = batch.writes.first?.key, !key.isEmpty else {
        return reply(WireFailure.because(.invalid, "the batch is empty, or its first key is"))
      }
      route(request, key: key, deadline, reply)
    case .get(let get):
      // The latest is the leader's to read.
      if get.eventual || get.at > 0, let partition = localPartition(of: get.key),
        partition.answers(get, reply: reply)
      {
        return
      }
      route(request, key: get.key, deadline, reply)
    case .history(let history):
      route(request, key: history.key, deadline, reply)
    case .range(let range):
      serve(range, deadline: deadline, reply: reply)
    case .map:
      reply(catalog.catalog.map { .map(mapResponse($0)) } ?? stillJoining)
    case .status:
      reply(.status(status()))
    case .now:
      versions.latest { version in
        guard let version else {
          return reply(WireFailure.because(.unavailable, "the oracle did not answer in time"))
        }
        reply(.now(.with { $0.version = version.rawValue }))
      }
    case .watch(let watch):
      serve(watch, deadline: deadline, reply: reply)
    case .closed(let request):
      serve(request, reply: reply)
    case .moved(let moved):
      serve(moved, from: caller, reply: reply)
    case .recall:
      reply(recall(for: caller))
    case .rotate(let rotate) where rotate.probe:
      reply(.rotate(WireRotateResponse()))
    case .issue, .certificates, .revoke, .renew, .reissue, .rotate:
      router.route(request, to: .catalog, deadline: deadline, reply: reply)
    case .oldestRead(let request):
      reply(.oldestRead(oldestRead(request)))
    case .acknowledge(let request):
      serve(request, reply: reply)
    case .clock:
      reply(
        .clock(
          .with {
            $0.wallMs = host.clock.wallMilliseconds
            $0.known = versions.known.rawValue
          }))
    case .pulse(let pulse):
      reply(pulses.answer(pulse, from: caller))
    case .verify(let verify) where verify.check == 0:
      route(request, ofPartition: verify.group, deadline, reply)
    case .verify(let verify):
      route(request, ofCheck: verify.check, deadline, reply) {
        verifier.whenDone(verify.check, deadline, reply: reply)
      }
    case .repair(let repair):
      route(request, ofCheck: repair.check, deadline, reply) { verifier.repair(repair, reply: reply) }
    case .check(let step) where step.step == .fence:
      repairFences.fence(step) { reply(.check($0)) }
    case .check(let step):
      checks.answer(step) { reply(.check($0)) }
    case .signSnapshot(let request):
      sign(request, reply: reply)
    case .changes(let changes):
      serve(changes, deadline: deadline, reply: reply)
    case .invite, .enrol, .versions, .propose, .leave, .plan, .split, .moveRate, .snapshots, .createSnapshot,
      .deleteSnapshot:
      router.route(request, to: .catalog, deadline: deadline, reply: reply)
    }
  }

  private var stillJoining: WireResponse.OneOf_Body {
    WireFailure.because(.unavailable, "node \(id) has not heard from its cluster yet")
  }

  private func refusal(of body: WireRequest.OneOf_Body, to caller: Caller) -> String? {
    switch (caller, body) {
    case (.stranger, .enrol), (.node, _): nil
    case (.client, .renew): "only nodes may ask this"
    case (.client(_, let canAdminister), .issue), (.client(_, let canAdminister), .certificates),
      (.client(_, let canAdminister), .revoke), (.client(_, let canAdminister), .rotate):
      canAdminister ? nil : "this needs a certificate of role admin"
    case (.stranger, _): "a peer without a certificate may only enrol"
    case (.client, .versions), (.client, .propose), (.client, .enrol), (.client, .oldestRead), (.client, .clock),
      (.client, .closed), (.client, .check), (.client, .pulse), (.client, .moved), (.client, .recall):
      "only nodes may ask this"
    case (.client(_, let canAdminister), .invite), (.client(_, let canAdminister), .repair),
      (.client(_, let canAdminister), .createSnapshot), (.client(_, let canAdminister), .deleteSnapshot),
      (.client(_, let canAdminister), .signSnapshot),
      (.client(_, let canAdminister), .leave), (.client(_, let canAdminister), .split),
      (.client(_, let canAdminister), .moveRate):
      canAdminister ? nil : "this needs a certificate of role admin"
    case (.client(let canWrite, _), .write), (.client(let canWrite, _), .batch),
      (.client(let canWrite, _), .acknowledge):
      canWrite ? nil : "this needs a certificate of role writer or admin"
    case (.client, _): nil
    }
  }

  private func localPartition(of key: WireBytes) -> Partition? {
    let position = Position(ofBytes: key)
    guard let group = catalog.catalog?.map.lookup(position).group,
      let partition = replicas[group]?.machine as? Partition, partition.owns(position)
    else { return nil }
    return partition
  }

  private func route(_ request: WireRequest, key: WireBytes, _ deadline: Moment, _ reply: @escaping Reply) {
    guard let group = catalog.catalog?.map.lookup(Position(ofBytes: key)).group else { return reply(stillJoining) }
    router.route(request, to: group, deadline: deadline, reply: reply)
  }

  private func route(
    _ request: WireRequest, ofPartition group: UInt32, _ deadline: Moment, _ reply: @escaping Reply
  ) {
    guard let map = catalog.catalog?.map else { return reply(stillJoining) }
    guard let entry = map.lookup(GroupID(rawValue: group)) else {
      return reply(WireFailure.because(.invalid, "there is no partition \(group); `kv status --json` lists them"))
    }
    router.route(request, to: entry.group, deadline: deadline, reply: reply)
  }

  /// Brings a request to the node that leads a check; here, it is served.
  private func route(
    _ request: WireRequest, ofCheck number: UInt64, _ deadline: Moment, _ reply: @escaping Reply, serve: () -> Void
  ) {
    let target = Verifier.leader(of: number)
    guard target != id else { return serve() }
    guard catalog.catalog?.node(target) != nil, request.hops < Limits.hops, calls.hasRoom else {
      return reply(WireFailure.because(.unavailable, "node \(target), which leads the check, can't be reached"))
    }
    var request = request
    request.hops += 1
    call(target, request, deadline: deadline) { result in
      switch result {
      case .answered(let body): reply(body)
      case .lost: reply(WireFailure.because(.unavailable, "node \(target), which leads the check, did not answer"))
      }
    }
  }

  /// Carries out a request for which this node's replica leads, or led a moment ago.
  func serve(_ request: WireRequest, by replica: GroupReplica, deadline: Moment, reply: @escaping Reply) {
    if replica.group == .catalog, !replica.leads {
      return reply(WireFailure.because(.notLeader, "node \(id) has just been elected to lead the catalog"))
    }
    // By themselves, so that nothing is copied for the sake of the other cases.
    if case .write(let write)? = request.body, let partition = replica.machine as? Partition {
      return serve(write, by: replica, of: partition, deadline: deadline, reply: reply)
    }
    serveOther(request, by: replica, deadline: deadline, reply: reply)
  }

  @inline(never)
  private func serveOther(
    _ request: WireRequest, by replica: GroupReplica, deadline: Moment, reply: @escaping Reply
  ) {
    switch (request.body, replica.machine) {
    case (.batch(let batch)?, let partition as Partition):
      serve(batch, by: replica, of: partition, deadline: deadline, reply: reply)
    case (.get(let get)?, let partition as Partition):
      whenNotFuture(Version(rawValue: get.at), reply) { partition.get(get, reply: reply) }
    case (.history(let history)?, let partition as Partition):
      partition.history(history, reply: reply)
    case (.verify(let verify)?, let partition as Partition):
      verifier.serve(verify, partition, reply: reply)
    case (.versions(let wanted)?, let catalog as CatalogMachine):
      guard wanted.count <= Limits.versionsPerRequest else {
        return reply(WireFailure.because(.invalid, "at most \(Limits.versionsPerRequest) versions at once"))
      }
      versions.heard(Version(rawValue: wanted.known))
      catalog.takeVersions(UInt64(wanted.count)) { [self] first in
        guard let first else {
          return reply(WireFailure.because(.notLeader, "node \(id) is not sure to be the only oracle now"))
        }
        reply(.versions(.with { $0.first = first.rawValue }))
      }
    case (.propose(let proposal)?, let catalog as CatalogMachine):
      guard let command = WireCatalogCommand(untrusted: proposal.command.array) else {
        return reply(WireFailure.because(.invalid, "not a command of the catalog"))
      }
      catalog.propose(command) { reply($0.body) }
    case (.snapshots?, let catalog as CatalogMachine):
      listSnapshots(of: catalog, reply: reply)
    case (.createSnapshot(let wanted)?, let catalog as CatalogMachine):
      create(wanted, in: catalog, reply: reply)
    case (.deleteSnapshot(let unwanted)?, let catalog as CatalogMachine):
      delete(unwanted, in: catalog, reply: reply)
    case (.issue(let issue)?, _ as CatalogMachine):
      self.issue(issue, reply: reply)
    case (.certificates?, _ as CatalogMachine):
      listCertificates(reply: reply)
    case (.revoke(let revoke)?, _ as CatalogMachine):
      self.revoke(revoke, reply: reply)
    case (.renew(let renew)?, _ as CatalogMachine):
      self.renew(renew, reply: reply)
    case (.reissue(let reissue)?, _ as CatalogMachine):
      self.reissue(reissue, reply: reply)
    case (.rotate(let rotate)?, _ as CatalogMachine):
      self.rotate(rotate, deadline: deadline, reply: reply)
    case (.invite(let invite)?, _ as CatalogMachine):
      self.invite(invite, reply: reply)
    case (.enrol(let enrol)?, _ as CatalogMachine):
      self.enrol(enrol, reply: reply)
    case (.leave(let leave)?, _ as CatalogMachine):
      self.leave(leave, reply: reply)
    case (.plan(let plan)?, _ as CatalogMachine):
      self.plan(plan, reply: reply)
    case (.split(let split)?, _ as CatalogMachine):
      self.split(split, reply: reply)
    case (.moveRate(let request)?, let catalog as CatalogMachine):
      catalog.propose(.with { $0.setMoveRate = request.rate }) { outcome in
        if case .applied = outcome { reply(.moveRate(WireMoveRateResponse())) } else { reply(outcome.body) }
      }
    default:
      reply(WireFailure.because(.invalid, "the request does not fit its group"))
    }
  }

  private func serve(
    _ write: WireWriteRequest, by replica: GroupReplica, of partition: Partition, deadline: Moment,
    reply: @escaping Reply
  ) {
    do {
      take(try PendingWrite(write, deadline: deadline, reply: reply), by: replica, of: partition)
    } catch {
      reply(WireFailure.because(.invalid, error.words))
    }
  }

  private func serve(
    _ batch: WireBatchRequest, by replica: GroupReplica, of partition: Partition, deadline: Moment,
    reply: @escaping Reply
  ) {
    do {
      let pending = try PendingWrite(batch, deadline: deadline, reply: reply)
      if pending.isBatch {
        if let refusal = formatRise.refusal(of: "keys written together", needing: PartitionCommand.batchFormat) {
          return pending.failed(.refused, refusal)
        }
        let isParted = !pending.all { partition.owns(Position(of: $0)) } && partition.owns(Position(of: pending.key))
        if isParted, replica.leads {
          // Before a split it may have been carried out.
          if case .done(let result) = partition.sessions.lookup(pending.id, digest: pending.digest) {
            return pending.done(result)
          }
          return pending.failed(.spansPartitions, "the keys of the batch lie in more than one partition")
        }
      }
      take(pending, by: replica, of: partition)
    } catch {
      reply(WireFailure.because(.invalid, error.words))
    }
  }

  private func take(_ pending: PendingWrite, by replica: GroupReplica, of partition: Partition) {
    guard partition.serves(Position(of: pending.key)), replica.leads,
      !pending.isBatch || pending.all({ partition.serves(Position(of: $0)) })
    else { return pending.reply(partition.notLeader) }
    if let refusal = space.refusal(ofDeletion: pending.isDeletion, by: replica) {
      return pending.failed(refusal.code, refusal.words)
    }
    partition.writes.add(pending, in: partition)
  }

  /// Goes on if a version is known to have been given out: a read in the future could change its answer.
  func whenNotFuture(_ version: Version, _ reply: @escaping Reply, _ body: @escaping () -> Void) {
    guard version > versions.known else { return body() }
    versions.latest { latest in
      guard let latest else {
        return reply(WireFailure.because(.unavailable, "the oracle did not answer in time"))
      }
      guard version <= latest else {
        return reply(
          WireFailure.because(
            .futureVersion, "version \(version) lies in the future; the latest given out is \(latest)"))
      }
      body()
    }
  }

  /// Brings a command to the catalog's leader, whichever node that is.
  func proposeToCatalog(_ command: WireCatalogCommand, _ done: @escaping (Bool) -> Void) {
    let request = WireRequest.with { $0.propose = .with { $0.command = .init(command.encoded) } }
    router.route(request, to: .catalog, deadline: now.advanced(milliseconds: Limits.oracleMilliseconds)) { body in
      if case .propose = body { done(true) } else { done(false) }
    }
  }

  private func mapResponse(_ catalog: Catalog) -> WireMapResponse {
    var response = WireMapResponse()
    response.cluster = cluster
    response.epoch = catalog.map.epoch
    response.members = catalog.members
    response.partitions = catalog.map.partitions.map { entry in
      .with {
        $0.group = entry.group.rawValue
        $0.bits = UInt32(entry.arc.bits)
        $0.prefix = entry.arc.prefix
        $0.leader = router.leader(of: entry.group)?.rawValue ?? 0
        $0.voters = entry.voters.map(\.rawValue)
      }
    }
    return response
  }
}

extension CatalogMachine.ProposalOutcome {
  /// The answer to who proposed.
  var body: WireResponse.OneOf_Body {
    switch self {
    case .applied: .propose(WireCatalogProposalResponse())
    case .refused(let refusal): WireFailure.because(.refused, "the catalog refuses: \(refusal)")
    case .notDone(let words): WireFailure.because(.unavailable, words)
    case .unknown: WireFailure.because(.unknownOutcome, "the catalog's leader changed")
    }
  }
}

extension Position {
  /// The position of the key with these bytes.
  fileprivate init(ofBytes bytes: WireBytes) {
    self = bytes.lend { Position(ofBytes: $0) }
  }
}
