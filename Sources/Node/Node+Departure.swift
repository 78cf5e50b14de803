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
  /// Where it hears the catalog's leader all the same, it is the other that was made a cluster of its own (kv-recover(1)):
  /// one that believes so must not end those that most of the cluster is made of.
  public func wasRefused(by peer: NodeID) {
    guard !hasDeparted else { return }
    let departure = catalog.catalog?.node(id)?.departure
    if departure == .stays, let core = catalog.replica?.core, core.hearsLeader, catalog.catalog?.node(peer) != nil {
      return estrangement.note(peer, at: now, host)
    }
    guard departure == .leaves else {
      host.log(.error, "node \(peer) refuses this node's certificate: it was declared lost, or the certificate revoked")
      hasDeparted = true
      return host.departed(.isLost)
    }
    host.log(.info, "node \(peer) says that this node is a member no more")
    depart()
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

/// A member that refuses this node, though most of the cluster is here. For a moment that is how a node is told that it
/// was declared lost.
struct Estrangement {
  private var peer: NodeID?
  private var since = Moment(rawValue: 0)
  private var latest = Moment(rawValue: 0)
  private var wasTold = false

  mutating func note(_ peer: NodeID, at now: Moment, _ host: any NodeHost) {
    if self.peer != peer || !isFresh(at: now) { (self.peer, since, wasTold) = (peer, now, false) }
    latest = now
    guard !wasTold, let words = problem(at: now) else { return }
    wasTold = true
    host.log(.error, words)
  }

  /// What an operator should know.
  func problem(at now: Moment) -> String? {
    guard let peer, isFresh(at: now), latest.milliseconds(since: since) >= Limits.estrangementDelayMilliseconds else {
      return nil
    }
    return "node \(peer) refuses this node, which hears the catalog's leader: if kv recover apply was run there, two "
      + "clusters take writes now; stop node \(peer), unless it is to go on: then stop the others"
  }

  private func isFresh(at now: Moment) -> Bool {
    now.milliseconds(since: latest) < Limits.estrangementMilliseconds
  }
}
