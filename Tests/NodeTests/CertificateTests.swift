import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Certificates in the catalog")
struct CertificateTests {
  private static func catalog() throws -> Catalog {
    try Catalog.bootstrap(
      cluster: "c", partitions: 1, format: 1, authority: [],
      node: .with {
        $0.id = 1
        $0.address = "a:1"
      })
  }

  private static func certificate(_ serial: UInt8, _ identity: String, until end: UInt64) -> WireCertificate {
    .with {
      $0.serial = .init([serial])
      $0.identity = identity
      $0.notAfter = end
    }
  }

  private static func add(_ certificate: WireCertificate) -> WireCatalogCommand {
    .with { $0.addCertificate = certificate }
  }

  private static func revoke(_ serials: [[UInt8]], at wall: UInt64) -> WireCatalogCommand {
    .with {
      $0.revokeCertificates = .with {
        $0.serials = serials.map { .init($0) }
        $0.wallMs = wall
      }
    }
  }

  @Test("what is revoked stays in the list, with the time at which it first was")
  func revoked() throws {
    var catalog = try Self.catalog()
    try catalog.apply(Self.add(Self.certificate(1, "one", until: 100)))
    try catalog.apply(Self.add(Self.certificate(2, "two", until: 100)))
    #expect(catalog.revokedSerials.isEmpty && !catalog.isRevoked("one"))
    try catalog.apply(Self.revoke([[1]], at: 5_000))
    try catalog.apply(Self.revoke([[1]], at: 6_000))
    #expect(catalog.revokedSerials == [[1]] && catalog.isRevoked("one") && !catalog.isRevoked("two"))
    #expect(catalog.certificates.map(\.revokedMs) == [5_000, 0])
  }

  @Test("a serial number that nobody has seen can be revoked too")
  func unknown() throws {
    var catalog = try Self.catalog()
    try catalog.apply(Self.revoke([[7, 8]], at: 5_000))
    #expect(catalog.revokedSerials == [[7, 8]])
    #expect(catalog.certificates[0].notAfter == 5 + Limits.longestCertificateSeconds)
  }

  @Test("what has expired by the versions' clock goes when another is added, revoked or not")
  func expired() throws {
    var catalog = try Self.catalog()
    try catalog.apply(Self.add(Self.certificate(1, "one", until: 100)))
    try catalog.apply(Self.revoke([[1]], at: 5_000))
    try catalog.apply(Self.add(Self.certificate(2, "two", until: 3_000)))
    try catalog.apply(.with { $0.raiseCeiling = Version(milliseconds: 2_000_000).rawValue })
    try catalog.apply(Self.add(Self.certificate(3, "three", until: .max)))
    #expect(catalog.certificates.map(\.identity) == ["two", "three"])
  }

  @Test("the list is bounded, and takes no certificate without a serial number")
  func bounded() throws {
    var catalog = try Self.catalog()
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(Self.add(.init())) }
    for number in 0..<Limits.certificates {
      try catalog.apply(
        Self.add(
          .with {
            $0.serial = .init([UInt8(number >> 8), UInt8(number & 255)])
            $0.notAfter = .max
          }))
    }
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(Self.add(Self.certificate(1, "more", until: .max))) }
  }

  @Test("any node issues, lists and revokes for an administrator, and for nobody else")
  func requests() throws {
    let world = try SimulatedWorld(seed: 3)
    _ = try world.join()
    _ = try world.join()
    world.run(milliseconds: 2_000)
    let issue = WireRequest.with {
      $0.issue = .with {
        $0.signingRequest = .init([9])
        $0.name = "alice"
        $0.role = "reader"
        $0.lifetimeSeconds = 60
      }
    }
    for host in world.hosts.keys.sorted() {
      guard case .issue? = world.ask(issue, of: host) else {
        Issue.record("node \(host) does not issue")
        continue
      }
    }
    guard case .certificates(let list)? = world.ask(.with { $0.certificates = .init() }) else {
      Issue.record("no list")
      return
    }
    // Two that joined, and three of alice.
    #expect(list.certificates.count == 5)
    let revoke = WireRequest.with { $0.revoke = .with { $0.identity = "kv://simulated/client/alice?role=reader" } }
    guard case .revoke(let answer)? = world.ask(revoke) else {
      Issue.record("not revoked")
      return
    }
    #expect(answer.count == 3)
    guard case .revoke(let again)? = world.ask(revoke) else {
      Issue.record("not revoked again")
      return
    }
    #expect(again.count == 0)
    let writer = Caller.client(canWrite: true, canAdminister: false)
    for request in [issue, revoke, .with { $0.certificates = .init() }] {
      guard case .failure(let failure)? = world.ask(request, as: writer) else {
        Issue.record("a writer may administer")
        continue
      }
      #expect(failure.code == .refused)
    }
  }
}
