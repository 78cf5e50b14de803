public import Bytes
import Environment
import Wire

// What the node wants of its place in the cluster, and its end as a member.
extension Node {
  /// Has the catalog say where the node stands, and its part of the load; nil: as it is.
  public func wantsPlace(zone: String?, weight: UInt32?) {
    if zone != nil || weight != nil { wantedPlace = (zone, weight) }
  }

  /// Has each node of the cluster take in at most so many bytes a second of moving replicas; 0: no limit.
  public func limitMoves(bytesPerSecond: UInt64) { wantedMoveRate = bytesPerSecond }

  func proposePlaceIfDue() {
    guard wantedPlace != nil || wantedMoveRate != nil, let catalog = catalog.catalog, let own = catalog.node(id),
      router.leader(of: .catalog) != nil
    else { return }
    if let wanted = wantedPlace {
      wantedPlace = nil
      let (zone, weight) = (wanted.zone ?? own.zone, wanted.weight ?? own.share)
      if zone != own.zone || weight != own.share {
        let number = id.rawValue
        let place = WireCatalogCommand.NodePlace.with {
          $0.node = number
          $0.zone = zone
          $0.weight = weight
        }
        proposeToCatalog(.with { $0.setPlace = place }) { [self] isDone in
          if !isDone { wantedPlace = wantedPlace ?? wanted }
        }
      }
    }
    if let rate = wantedMoveRate {
      wantedMoveRate = nil
      if rate != catalog.state.moveRate {
        proposeToCatalog(.with { $0.setMoveRate = rate }) { [self] isDone in
          if !isDone { wantedMoveRate = wantedMoveRate ?? rate }
        }
      }
    }
  }

  /// Another node refuses this one's certificate: it is a member no more, and may have missed that.
  ///
  /// Where it hears the catalog's leader all the same, or has until a moment ago, it is the other that was made a cluster
  /// of its own (kv-recover(1)): one that believes so must not end those that most of the cluster is made of, now or when
  /// they are restarted. One that has started and not heard a leader yet ends, before it finds another like itself.
  public func wasRefused(by peer: NodeID) {
    guard !hasDeparted else { return }
    let departure = catalog.catalog?.node(id)?.departure
    if departure == .stays, estranged.contains(peer) || ticksWithoutLeader < Limits.leaderlessTicks {
      refusals.note(peer, at: now)
      // One that was declared lost has heard the leader until then: only for as long as that may be remembered.
      if ticksWithoutLeader == 0 { noteEstranged(peer) }
      return
    }
    guard departure == .leaves else {
      host.log(.error, "node \(peer) refuses this node's certificate: it was declared lost, or the certificate revoked")
      hasDeparted = true
      return host.departed(.isLost)
    }
    host.log(.info, "node \(peer) says that this node is a member no more")
    depart()
  }

  /// Counts the ticks without the catalog's leader.
  func noteLeader() {
    if catalog.replica?.core.hearsLeader == true {
      ticksWithoutLeader = 0
    } else if ticksWithoutLeader < .max {
      ticksWithoutLeader += 1
    }
  }

  /// Notes, durably, a member that has refused this node for long enough.
  private func noteEstranged(_ peer: NodeID) {
    guard !estranged.contains(peer), refusals.lasting(at: now).contains(peer) else { return }
    estranged.insert(peer)
    for problem in estrangements { host.log(.error, problem) }
    let (storage, all) = (storage, estranged)
    host.run(.background) {
      storage.saveEstranged(all)
    } then: { [self] failure in
      if let failure { host.log(.error, "that node \(peer) refuses this one can't be noted: \(failure)") }
    }
  }

  /// A node whose certificate is refused here tries to connect.
  public func hasRefused(_ peer: NodeID) {
    guard catalog.catalog?.isStruckOut(peer) == true else { return }
    strays.note(peer, at: now)
  }

  /// Of nodes that have parted from this one, and run, what an operator should know.
  var estrangements: [String] {
    // Where it was declared lost since, the two have parted for good.
    let members = refusals.lasting(at: now).filter { catalog.catalog?.node($0)?.departure == .stays }
    let refusing = members.map { peer in
      "node \(peer) refuses this node, which belongs to most of the cluster: if kv recover apply was run there, two "
        + "clusters take writes now; stop node \(peer), unless it is to go on: then stop the others"
    }
    let refused = strays.lasting(at: now).map { peer in
      "node \(peer), which kv recover apply struck out, runs: if it goes on with others, two clusters take writes now; "
        + "stop those, unless they are to go on: then stop this one"
    }
    return refusing + refused
  }

  /// Ends the node where the catalog says that it is a member no more.
  func leaveIfRemoved() {
    guard let catalog = catalog.catalog, !hasDeparted else { return }
    if catalog.state.removedNodes.contains(id.rawValue) { depart() }
  }

  /// Has the directory say that the node has left, and ends it.
  private func depart() {
    hasDeparted = true
    let storage = storage
    host.run(.background) {
      storage.saveDeparture(.leaves)
    } then: { [self] failure in
      // Its peers say the same at each start.
      if let failure { host.log(.error, "that the node is a member no more can't be noted: \(failure)") }
      host.departed(.leaves)
    }
  }
}

/// Refusals between this node and others. For a moment that is how a node is told that it was declared lost; for long, the
/// two have parted.
struct Refusals {
  private var known: [NodeID: (since: Moment, latest: Moment)] = [:]

  mutating func note(_ peer: NodeID, at now: Moment) {
    let since = known[peer].flatMap { isFresh($0.latest, at: now) ? $0.since : nil }
    known[peer] = (since ?? now, now)
  }

  /// With whom they have lasted, ascending: the latest was not long ago, and the first is.
  func lasting(at now: Moment) -> [NodeID] {
    known.filter { _, times in
      isFresh(times.latest, at: now)
        && times.latest.milliseconds(since: times.since) >= Limits.estrangementDelayMilliseconds
    }.keys.sorted()
  }

  private func isFresh(_ latest: Moment, at now: Moment) -> Bool {
    now.milliseconds(since: latest) < Limits.estrangementMilliseconds
  }
}
