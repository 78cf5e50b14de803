import Bytes
import Environment
import Wire

// The replacement of the cluster's authority by another, on the catalog's leader.
//
// A new one signs at once, and both are believed, so that nothing has to happen at one moment: nodes get certificates
// of the new one by themselves, clients when they renew theirs. When that is done, the former is believed no more.
extension Node {
  func rotate(_ request: WireRotateRequest, deadline: Moment, reply: @escaping Reply) {
    guard let catalog = catalog.catalog else { return }
    switch (request.finish, catalog.isRotating) {
    case (false, false): beginRotation(deadline, reply)
    case (true, true): endRotation(request, catalog, reply)
    case (false, true), (true, false): reply(rotation)
    }
  }

  /// How things stand.
  private var standing: WireRotateResponse {
    .with {
      $0.authority = catalog.catalog?.state.authority ?? .init()
      $0.beganMs = catalog.catalog?.state.rotationMs ?? 0
      $0.behind = catalog.catalog.map(behind) ?? []
    }
  }

  private var rotation: WireResponse.OneOf_Body { .rotate(standing) }

  /// The certificates of the former authority that are in use; the catalog itself doesn't know which have expired.
  private func behind(in catalog: Catalog) -> [WireCertificate] {
    let now = host.clock.wallMilliseconds / 1000
    return catalog.behind.filter { $0.notAfter >= now }
  }

  /// A member of an older release would stop at the command; and one that is away until the end could not come back.
  private func beginRotation(_ deadline: Moment, _ reply: @escaping Reply) {
    let others = catalog.catalog?.nodes.map { NodeID(rawValue: $0.id) }.filter { $0 != id } ?? []
    var unasked = Set(others)
    guard !unasked.isEmpty else { return makeAuthority(reply) }
    let end = min(deadline, now.advanced(milliseconds: Limits.probeMilliseconds))
    var refusal: String?
    for peer in others {
      call(peer, .with { $0.rotate = .with { $0.probe = true } }, deadline: end) { [self] result in
        switch result {
        case .answered(.rotate): break
        case .answered: refusal = "node \(peer) is of an older release: upgrade it first"
        case .lost: refusal = "node \(peer) does not answer; every member must be there when a rotation begins"
        }
        unasked.remove(peer)
        guard unasked.isEmpty else { return }
        if let refusal { return reply(WireFailure.because(.unavailable, refusal)) }
        makeAuthority(reply)
      }
    }
  }

  private func makeAuthority(_ reply: @escaping Reply) {
    guard let members = catalog.catalog?.nodes, let present = signingAuthority,
      let next = host.authority.successor(of: present, members: members.map(\.publicKey.array))
    else { return reply(WireFailure.because(.internal, "no new authority can be made")) }
    let command = WireCatalogCommand.with {
      $0.beginRotation = .with {
        $0.authority = .init(next.certificate)
        $0.cross = .init(next.cross)
        $0.wallMs = host.clock.wallMilliseconds
        $0.keys = zip(members, next.sealedKeys).map { member, key in
          .with {
            $0.node = member.id
            $0.sealed = .init(key)
          }
        }
      }
    }
    catalog.propose(command) { [self] outcome in
      guard case .applied = outcome else { return reply(outcome.body) }
      host.log(.warning, "another authority signs from now on; the former is believed until the rotation is finished")
      reply(rotation)
    }
  }

  private func endRotation(_ request: WireRotateRequest, _ catalog: Catalog, _ reply: @escaping Reply) {
    let behind = behind(in: catalog)
    guard request.force || behind.isEmpty else {
      let holders = behind.prefix(Limits.holdersNamed).map { $0.identity.isEmpty ? "somebody" : $0.identity }
      let rest = behind.count - holders.count
      return reply(
        WireFailure.because(
          .refused,
          "\(behind.count == 1 ? "1 certificate" : "\(behind.count) certificates") of the former authority"
            + " \(behind.count == 1 ? "is" : "are") in use: \(holders.joined(separator: ", "))"
            + (rest > 0 ? " and \(rest) more" : "")
            + "; renew or revoke \(behind.count == 1 ? "it; only force shuts it out" : "them; only force shuts them out")"
        ))
    }
    self.catalog.propose(.with { $0.endRotation = catalog.state.trustGeneration }) { [self] outcome in
      guard case .applied = outcome else { return reply(outcome.body) }
      host.log(.warning, "the former authority is believed no more")
      var answer = standing
      answer.behind = behind
      reply(.rotate(answer))
    }
  }
}
