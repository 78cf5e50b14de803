import Bytes
import Wire

// Certificates of clients and nodes: signed, listed and taken back on the catalog's leader.
extension Node {
  func issue(_ request: WireIssueRequest, reply: @escaping Reply) {
    guard let authority = signingAuthority else { return reply(unheard) }
    if let refusal = notYet { return reply(refusal) }
    guard (1...Limits.longestCertificateSeconds).contains(request.lifetimeSeconds) else {
      return reply(WireFailure.because(.invalid, "a certificate lasts from a second to ten years"))
    }
    guard
      let signed = host.authority.clientCertificate(
        request: request.signingRequest.array, name: request.name, role: request.role,
        lifetimeSeconds: request.lifetimeSeconds, by: authority)
    else {
      return reply(
        WireFailure.because(
          .invalid,
          "the name, the role or the signing request is malformed; a name has letters,"
            + " digits, '.', '_' and '-'"))
    }
    give(signed, by: authority, reply)
  }

  /// A certificate for another key, of the holder of one that the catalog lists and with the same end.
  func reissue(_ request: WireReissueRequest, reply: @escaping Reply) {
    guard let authority = signingAuthority else { return reply(unheard) }
    if let refusal = notYet { return reply(refusal) }
    guard let known = catalog.catalog?.certificates.first(where: { $0.serial == request.serial && $0.revokedMs == 0 })
    else {
      return reply(
        WireFailure.because(
          .refused, "the certificate is not in the cluster's list; an administrator can issue another"))
    }
    guard (catalog.catalog?.unrevokedCount(of: known.identity) ?? 0) < Limits.certificatesOfClient else {
      return reply(
        WireFailure.because(
          .refused, "\(Limits.certificatesOfClient) certificates of this holder are good; revoke some, or let them end")
      )
    }
    guard
      let signed = host.authority.followingCertificate(
        request: request.signingRequest.array, identity: known.identity, notAfter: known.notAfter, by: authority)
    else { return reply(WireFailure.because(.invalid, "the signing request is malformed, or no client's")) }
    give(signed, following: request.serial, by: authority, reply)
  }

  /// Why no client gets a certificate now; nil where it does. In the moment after another authority took the place of the
  /// former the nodes still show certificates of that, which nobody knows who believes the present one alone. A node that
  /// is away holds up nobody for longer.
  private var notYet: WireResponse.OneOf_Body? {
    guard let catalog = catalog.catalog,
      host.clock.wallMilliseconds < catalog.state.rotationMs + Limits.followingMilliseconds
    else { return nil }
    let behind = catalog.nodesBehind
    guard !behind.isEmpty else { return nil }
    return WireFailure.because(
      .unavailable,
      "the nodes get certificates of the new authority first, and for \(Limits.followingMilliseconds / 1000) seconds clients "
        + "wait for them: node \(behind.map(String.init).joined(separator: ", ")) has none yet")
  }

  /// Notes a client's certificate in the catalog, and answers with it.
  private func give(
    _ signed: SignedCertificate, following serial: WireBytes = .init(), by authority: SigningAuthority,
    _ reply: @escaping Reply
  ) {
    catalog.propose(.with { $0.addCertificate = record(of: signed, following: serial) }) { [host, catalog] outcome in
      guard case .applied = outcome else { return reply(outcome.body) }
      host.log(.info, "\(serial.isEmpty ? "issued" : "renewed") a certificate for \(signed.record.identity)")
      reply(
        .issue(
          .with {
            $0.certificate = .init(signed.der)
            $0.authority = .init(authority.certificate)
            $0.pastAuthorities = catalog.catalog?.state.pastAuthorities ?? []
          }))
    }
  }

  private var unheard: WireResponse.OneOf_Body {
    WireFailure.because(.notLeader, "node \(id) has not heard from its cluster yet")
  }

  /// The cluster's authority; nil where this node has not heard from its cluster yet.
  var signingAuthority: SigningAuthority? {
    guard let catalog = catalog.catalog, let own = catalog.node(id)?.sealedAuthorityKey.array else { return nil }
    return SigningAuthority(cluster: cluster, certificate: catalog.state.authority.array, sealedKey: own)
  }

  /// What the catalog is to know of a certificate that was signed just now.
  private func record(of signed: SignedCertificate, following serial: WireBytes = .init()) -> WireCertificate {
    var record = signed.record
    record.authorityNumber = catalog.catalog?.authorityNumber ?? 0
    record.follows = serial
    return record
  }

  func listCertificates(reply: @escaping Reply) {
    reply(
      .certificates(
        .with {
          $0.certificates = catalog.catalog?.certificates ?? []
          $0.authorityNumber = catalog.catalog?.authorityNumber ?? 0
          $0.members = catalog.catalog?.nodes.map(\.id) ?? []
        }))
  }

  func revoke(_ request: WireRevokeRequest, reply: @escaping Reply) {
    let known = catalog.catalog?.certificates ?? []
    var serials = known.filter { $0.identity == request.identity && !request.identity.isEmpty }.map(\.serial)
    if !request.serial.isEmpty, request.serial.count <= Limits.serialBytes { serials.append(request.serial) }
    guard !serials.isEmpty else {
      return reply(
        WireFailure.because(.invalid, "no certificate of \(request.identity) is known; kv cert list shows all"))
    }
    if !request.force, let catalog = catalog.catalog {
      let identities = Set(known.filter { serials.contains($0.serial) }.map(\.identity))
      let nodes = catalog.nodes.filter { identities.contains(catalog.nodeIdentity($0)) }.map { NodeID(rawValue: $0.id) }
      if !nodes.isEmpty, let need = need(of: Set(nodes), catalog) {
        return reply(
          WireFailure.because(
            .refused,
            "a node whose certificate is revoked is as good as down, and \(need): let the node leave (kv leave), or another "
              + "join first; --force revokes it nevertheless"))
      }
    }
    let fresh = serials.filter { serial in !known.contains { $0.serial == serial && $0.revokedMs > 0 } }
    let command = WireCatalogCommand.with {
      $0.revokeCertificates = .with {
        $0.serials = serials
        $0.wallMs = max(1, host.clock.wallMilliseconds)
      }
    }
    catalog.propose(command) { [host] outcome in
      guard case .applied = outcome else { return reply(outcome.body) }
      host.log(.info, "revoked \(fresh.count) certificates of \(request.identity)")
      reply(.revoke(.with { $0.count = UInt32(fresh.count) }))
    }
  }

  /// The next certificate of a member, for the key that it has joined with.
  func renew(_ request: WireRenewRequest, reply: @escaping Reply) {
    guard let member = catalog.catalog?.node(NodeID(rawValue: request.node)),
      let key = host.authority.publicKey(inRequest: request.signingRequest.array), key == member.publicKey.array
    else { return reply(WireFailure.because(.refused, "no member has this key")) }
    signForMember(NodeID(rawValue: request.node), request.signingRequest.array) { certificate in
      guard let certificate else {
        return reply(WireFailure.because(.refused, "a certificate of node \(request.node) was revoked"))
      }
      reply(.renew(.with { $0.certificate = .init(certificate) }))
    }
  }

  /// Signs a member's certificate and notes it in the catalog; nil where one of its was revoked, or it can't be signed.
  func signForMember(_ number: NodeID, _ request: [UInt8], _ done: @escaping ([UInt8]?) -> Void) {
    guard let authority = signingAuthority,
      let signed = host.authority.nodeCertificate(request: request, node: number, by: authority),
      catalog.catalog?.isRevoked(signed.record.identity) == false
    else { return done(nil) }
    catalog.propose(.with { $0.addCertificate = record(of: signed) }) { [host] outcome in
      if case .applied = outcome { return done(signed.der) }
      // The member must not be without a certificate because a list is full.
      host.log(.warning, "the certificate of node \(number) is not in the catalog: \(outcome)")
      done(signed.der)
    }
  }
}
