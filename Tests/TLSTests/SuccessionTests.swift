import TLS
import Testing

@Suite("An authority in the place of another")
struct SuccessionTests {
  let old: Cluster
  let new: Cluster
  let cross: Certificate

  init() throws {
    old = try Cluster("alpha")
    let (authority, cross) = try old.authority.successor()
    new = Cluster(authority)
    self.cross = cross
  }

  private enum Stage: CaseIterable {
    /// Has not heard of the new one.
    case before
    /// Believes both, its own certificate is of the old one.
    case learned
    /// Believes both, its own certificate is of the new one.
    case renewed
    /// Believes the new one alone.
    case after
  }

  private func node(_ stage: Stage, isServer: Bool) throws -> TLSContext {
    let issuer = stage == .before || stage == .learned ? old : new
    let (certificate, key) = try issuer.issue(old.node(isServer ? 1 : 2))
    let ca = stage == .before ? old.authority.certificate : new.authority.certificate
    let between = stage == .learned || stage == .renewed
    let (former, cross) = between ? (old.authority.certificate, self.cross) : (nil, nil)
    return isServer
      ? try .server(certificate: certificate, key: key, ca: ca, former: former, cross: cross, cluster: "alpha")
      : try .client(certificate: certificate, key: key, ca: ca, former: former, cross: cross, cluster: "alpha")
  }

  private func meets(_ client: TLSContext, _ server: TLSContext) throws -> Bool {
    let pair = try Pair(client: client, server: server)
    pair.run()
    return pair.isEstablished && pair.client.error == nil && pair.server.error == nil
  }

  @Test("the new one is another, of the same cluster, and the cross certificate holds its key under the old one's word")
  func succession() throws {
    #expect(new.authority.clusterID == "alpha")
    #expect(try new.authority.certificate.publicKeyDER() == cross.publicKeyDER())
    #expect(try new.authority.certificate.publicKeyDER() != old.authority.certificate.publicKeyDER())
    #expect(cross.isSigned(by: old.authority.certificate) && !cross.isSigned(by: new.authority.certificate))
    #expect(cross.validity.notAfter <= old.authority.certificate.validity.notAfter)
  }

  @Test("nodes of neighbouring stages meet, whichever side each is on")
  func neighbours() throws {
    for client in Stage.allCases {
      for server in Stage.allCases {
        let apart = [client, server].contains(.after) && [client, server].contains { $0 == .before || $0 == .learned }
        let met = try meets(node(client, isServer: false), node(server, isServer: true))
        #expect(met != apart, "\(client) to \(server)")
      }
    }
  }

  @Test("a command with the old cluster file is served until the end, one with a new file by every renewed node")
  func commands() throws {
    let stages = [Stage.before, .learned, .renewed, .after]
    let servers = try stages.map { try node($0, isServer: true) }
    #expect(try servers.map { try meets(old.client(), $0) } == [true, true, true, false])
    #expect(try servers.map { try meets(new.client(), $0) } == [false, false, true, true])
  }

  @Test("a token that pins the old one lets in until the end, and one that pins the new one after it")
  func pins() throws {
    func joins(_ pinned: Cluster, _ stage: Stage) throws -> Bool {
      let pin = try pinned.authority.certificate.sha256()
      return try meets(.enrolClient(caPin: pin, cluster: "alpha"), node(stage, isServer: true))
    }
    #expect(try joins(old, .learned) && joins(old, .renewed) && !joins(old, .after))
    #expect(try joins(new, .after))
  }

  @Test("who is not of the cluster gains nothing by the cross certificate")
  func strangers() throws {
    let (stranger, theirs) = try Cluster("alpha").authority.successor()
    let (certificate, key) = try Cluster(stranger).issue(old.node(2))
    let client = try TLSContext.client(
      certificate: certificate, key: key, ca: new.authority.certificate, former: old.authority.certificate,
      cross: theirs, cluster: "alpha")
    #expect(try !meets(client, node(.renewed, isServer: true)))
    let borrowed = try TLSContext.client(
      certificate: certificate, key: key, ca: new.authority.certificate, former: old.authority.certificate,
      cross: cross, cluster: "alpha")
    #expect(try !meets(borrowed, node(.renewed, isServer: true)))
  }
}
