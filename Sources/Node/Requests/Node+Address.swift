import Bytes
import Environment
import Wire

// Where a node is, for those who look for it elsewhere.
extension Node {
  /// Tells the catalog, where that says otherwise, and the other members too: nobody finds the node at its former
  /// address, not even a leader whose majority it is part of. Who is silent may look for it where it was for a moment,
  /// and what it knows of the catalog itself may be old.
  func tellAddressIfDue() {
    guard let catalog = catalog.catalog, let known = catalog.node(id)?.address else { return }
    if now >= nextMoved {
      nextMoved = now.advanced(milliseconds: Limits.movedMilliseconds)
      let deadline = now.advanced(milliseconds: Limits.oracleMilliseconds)
      for member in catalog.nodes.map({ NodeID(rawValue: $0.id) }) where member != id && calls.hasRoom {
        guard known != address || !heardFrom.contains(member) else { continue }
        call(member, .with { $0.moved = .with { $0.address = address } }, deadline: deadline) { _ in }
      }
      heardFrom.removeAll(keepingCapacity: true)
    }
    guard known != address, !isTellingAddress, router.leader(of: .catalog) != nil else { return }
    isTellingAddress = true
    proposeToCatalog(
      .with {
        $0.setAddress = .with {
          $0.node = id.rawValue
          $0.address = address
        }
      }
    ) { [self] isDone in
      isTellingAddress = false
      if isDone { host.log(.info, "the cluster knows this node at \(address) now") }
    }
  }

  /// A member says where it is: known here at once, and from the catalog when that has heard of it.
  func serve(_ moved: WireMovedRequest, from caller: Caller, reply: @escaping Reply) {
    guard case .node(let member) = caller, catalog.catalog?.node(member) != nil else {
      return reply(WireFailure.because(.refused, "only members may say where they are"))
    }
    host.memberMoved(member, to: moved.address)
    reply(.moved(WireMovedResponse()))
  }
}
