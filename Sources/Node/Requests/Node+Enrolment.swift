import Bytes
import Wire

// How a node comes in: an invitation makes a token, the token and a signing request make a member. Both on the
// catalog's leader.
extension Node {
  func invite(_ request: WireInviteRequest, reply: @escaping Reply) {
    guard let state = catalog.catalog?.state else { return }
    let wall = host.clock.wallMilliseconds
    let ttl = request.ttlMs == 0 ? 3_600_000 : request.ttlMs
    guard ttl <= Limits.tokenMilliseconds else {
      return reply(WireFailure.because(.invalid, "an invitation lasts seven days at most"))
    }
    let secret = host.randomBytes(32)
    let command = WireCatalogCommand.with {
      $0.addToken = .with {
        $0.hash = .init(host.authority.digest(secret))
        $0.expires = wall + ttl
      }
    }
    let token = WireJoinToken.with {
      $0.cluster = cluster
      // While the authority is being replaced, nodes show a path to the former.
      let known = state.formerAuthority.isEmpty ? state.authority : state.formerAuthority
      $0.pin = .init(host.authority.digest(known.array))
      $0.secret = .init(secret)
      $0.addresses = state.nodes.map(\.address)
    }
    catalog.propose(command) { [host] outcome in
      guard case .applied = outcome else { return reply(outcome.body) }
      reply(.invite(.with { $0.token = host.authority.text(of: token) }))
    }
  }

  func enrol(_ request: WireEnrolRequest, reply: @escaping Reply) {
    guard let state = catalog.catalog?.state else { return }
    let hash = host.authority.digest(request.secret.array)
    let wall = host.clock.wallMilliseconds
    if let key = host.authority.publicKey(inRequest: request.signingRequest.array),
      let member = state.nodes.first(where: { $0.publicKey.array == key })
    {
      // A joiner that did not get the answer to its first request, or a member whose certificate expired while it was
      // down: the same key proves that it is the same node, and it needs no token.
      return answerEnrolment(request, NodeID(rawValue: member.id), reply)
    }
    guard let token = state.tokens.first(where: { $0.hash.array == hash }), token.expires > wall else {
      return reply(
        WireFailure.because(.refused, "the token is unknown, used, expired or mistyped; make another with kv invite"))
    }
    guard request.format >= state.format else {
      return reply(
        WireFailure.because(
          .refused, "the cluster uses format \(state.format), the joiner knows \(request.format): use a newer kv"))
    }
    guard request.address.utf8.count <= 300, request.zone.utf8.count <= Limits.zoneBytes, request.address.contains(":")
    else {
      return reply(WireFailure.because(.invalid, "the node's address or zone is malformed"))
    }
    guard let publicKey = host.authority.publicKey(inRequest: request.signingRequest.array),
      let own = catalog.catalog?.node(id)?.sealedAuthorityKey.array,
      let sealed = host.authority.reseal(own, to: publicKey)
    else { return reply(WireFailure.because(.invalid, "the signing request is malformed")) }
    let number = NodeID(rawValue: state.nextNode)
    let node = WireCatalogNode.with {
      $0.id = number.rawValue
      $0.address = request.address
      $0.zone = request.zone
      $0.publicKey = .init(publicKey)
      $0.sealedAuthorityKey = .init(sealed)
      $0.joined = wall
      $0.token = .init(hash)
      $0.format = request.format
      if request.hasWeight { $0.weight = min(request.weight, Limits.weight) }
    }
    catalog.propose(.with { $0.addNode = node }) { [self] outcome in
      if case .refused(.stale) = outcome {
        return reply(WireFailure.because(.unavailable, "another node joined at this moment; try again"))
      }
      guard case .applied = outcome else { return reply(outcome.body) }
      host.log(.info, "node \(number) joined from \(request.address)")
      answerEnrolment(request, number, reply)
    }
  }

  private func answerEnrolment(_ request: WireEnrolRequest, _ number: NodeID, _ reply: @escaping Reply) {
    signForMember(number, request.signingRequest.array) { [self] certificate in
      guard let certificate, let state = catalog.catalog?.state else {
        return reply(WireFailure.because(.refused, "node \(number) gets no certificate: one of its was revoked"))
      }
      reply(
        .enrol(
          .with {
            $0.node = number.rawValue
            $0.cluster = cluster
            $0.certificate = .init(certificate)
            $0.authority = state.authority
            if let trust = catalog.catalog?.trust { $0.trust = trust }
            $0.members = catalog.catalog?.members ?? []
            $0.format = state.format
          }))
    }
  }
}
