import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("An authority in the place of the cluster's")
struct RotationTests {
  private static func catalog(nodes: UInt32 = 2) throws -> Catalog {
    var catalog = try Catalog.bootstrap(
      cluster: "c", partitions: 1, format: 1, authority: [1],
      node: .with {
        $0.id = 1
        $0.address = "a:1"
      })
    for id in 2..<(nodes + 1) {
      try catalog.apply(.with { $0.addToken = .with { $0.hash = .init([UInt8(id)]) } })
      try catalog.apply(
        .with {
          $0.addNode = .with {
            $0.id = id
            $0.address = "a:\(id)"
            $0.token = .init([UInt8(id)])
          }
        })
    }
    return catalog
  }

  private static func rotation(to authority: UInt8, nodes: ClosedRange<UInt32> = 1...2) -> WireCatalogCommand {
    .with {
      $0.beginRotation = .with {
        $0.authority = .init([authority])
        $0.cross = .init([authority, 0])
        $0.wallMs = 7
        $0.keys = nodes.map { node in
          .with {
            $0.node = node
            $0.sealed = .init([authority, UInt8(node)])
          }
        }
      }
    }
  }

  private static func add(
    _ serial: UInt8, _ identity: String, number: UInt32, follows: [UInt8] = []
  ) -> WireCatalogCommand {
    .with {
      $0.addCertificate = .with {
        $0.serial = .init([serial])
        $0.identity = identity
        $0.notAfter = .max
        $0.authorityNumber = number
        $0.follows = .init(follows)
      }
    }
  }

  @Test("the new one signs at once, sealed to each member, and the former is believed as well")
  func begins() throws {
    var catalog = try Self.catalog()
    #expect(!catalog.isRotating && catalog.authorityNumber == 0)
    try catalog.apply(Self.rotation(to: 2))
    #expect(catalog.isRotating && catalog.authorityNumber == 1 && catalog.state.rotationMs == 7)
    #expect(catalog.trust.authority.array == [2] && catalog.trust.former.array == [1])
    #expect(catalog.trust.cross.array == [2, 0] && catalog.trust.generation == 1)
    #expect(catalog.nodes.map(\.sealedAuthorityKey.array) == [[2, 1], [2, 2]])
    #expect(catalog.state.pastAuthorities.map(\.array) == [[1]])
  }

  @Test("none begins while one is under way, nor without a key for a member that has joined meanwhile")
  func refused() throws {
    var catalog = try Self.catalog(nodes: 3)
    let before = catalog.state
    #expect(throws: Catalog.Refusal.stale("a node has joined meanwhile")) {
      try catalog.apply(Self.rotation(to: 2, nodes: 1...2))
    }
    #expect(catalog.state == before)
    try catalog.apply(Self.rotation(to: 2, nodes: 1...3))
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(Self.rotation(to: 3, nodes: 1...3)) }
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(.with { $0.endRotation = 0 }) }
    try catalog.apply(.with { $0.endRotation = 1 })
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(.with { $0.endRotation = 2 }) }
  }

  @Test("a node is behind until it has another certificate, a client's file until it is renewed itself")
  func behind() throws {
    var catalog = try Self.catalog()
    try catalog.apply(Self.add(1, "kv://c/node/1", number: 0))
    try catalog.apply(Self.add(2, "kv://c/node/2", number: 0))
    try catalog.apply(Self.add(3, "kv://c/client/a?role=reader", number: 0))
    try catalog.apply(Self.add(4, "kv://c/client/a?role=reader", number: 0))
    try catalog.apply(Self.add(5, "kv://c/client/b?role=admin", number: 0))
    #expect(catalog.behind.isEmpty, "nobody is behind where nothing is replaced")
    try catalog.apply(Self.rotation(to: 2))
    #expect(catalog.behind.map(\.serial.array) == [[1], [2], [3], [4], [5]])
    try catalog.apply(Self.add(6, "kv://c/node/2", number: 1))
    try catalog.apply(Self.add(7, "kv://c/client/a?role=reader", number: 1, follows: [4]))
    try catalog.apply(
      .with {
        $0.revokeCertificates = .with {
          $0.serials = [.init([5])]
          $0.wallMs = 9
        }
      })
    #expect(catalog.behind.map(\.serial.array) == [[1], [3]] && catalog.nodesBehind == [1])
    try catalog.apply(Self.add(8, "kv://c/node/1", number: 1))
    #expect(catalog.behind.map(\.serial.array) == [[3]] && catalog.nodesBehind.isEmpty)
  }

  @Test("at the end what the former has signed is void, invitations too; what was revoked stays so")
  func ends() throws {
    var catalog = try Self.catalog()
    try catalog.apply(Self.add(1, "one", number: 0))
    try catalog.apply(Self.add(2, "kv://c/node/2", number: 0))
    try catalog.apply(.with { $0.addToken = .with { $0.hash = .init([9]) } })
    try catalog.apply(Self.rotation(to: 2))
    try catalog.apply(Self.add(3, "three", number: 1))
    try catalog.apply(
      .with {
        $0.revokeCertificates = .with {
          $0.serials = [.init([2])]
          $0.wallMs = 9
        }
      })
    try catalog.apply(.with { $0.endRotation = catalog.state.trustGeneration })
    #expect(!catalog.isRotating && catalog.authorityNumber == 1 && catalog.trust.former.isEmpty)
    #expect(catalog.trust.generation == 2 && catalog.trust.cross.isEmpty && catalog.state.rotationMs == 0)
    #expect(catalog.certificates.map(\.serial.array) == [[2], [3]])
    #expect(catalog.isRevoked("kv://c/node/2") && catalog.state.tokens.isEmpty)
  }

  @Test("of the authorities before, so many are named, the latest first")
  func past() throws {
    var catalog = try Self.catalog()
    for number in 2...40 as ClosedRange<UInt8> {
      try catalog.apply(Self.rotation(to: number))
      try catalog.apply(.with { $0.endRotation = catalog.state.trustGeneration })
    }
    #expect(catalog.authorityNumber == 39)
    #expect(catalog.state.pastAuthorities.map(\.array) == (0..<UInt8(Limits.pastAuthorities)).map { [39 - $0] })
  }

  private func rotate(
    _ world: SimulatedWorld, finish: Bool = false, force: Bool = false, of node: NodeID? = nil
  ) -> WireResponse.OneOf_Body? {
    world.ask(
      .with {
        $0.rotate = .with {
          $0.finish = finish
          $0.force = force
        }
      }, of: node)
  }

  @Test("all nodes are told, whichever was asked, and again after a restart; asked twice it says how things stand")
  func cluster() throws {
    let world = try SimulatedWorld(seed: 5)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    guard case .rotate(let begun)? = rotate(world, of: world.nodes.last) else {
      Issue.record("no rotation begins")
      return
    }
    #expect(begun.beganMs > 0 && !begun.authority.isEmpty)
    #expect(begun.behind.map(\.identity) == ["kv://simulated/node/2", "kv://simulated/node/3"])
    world.run(milliseconds: 500)
    #expect(world.hosts.values.allSatisfy { $0.trust.authority == begun.authority && $0.trust.generation == 1 })
    guard case .rotate(let again)? = rotate(world) else {
      Issue.record("no word of the rotation")
      return
    }
    #expect(again == begun)

    let follower = try #require(world.nodes.first { $0 != world.leader(of: 0) })
    world.kill(follower)
    try world.start(follower)
    try #require(world.settle())
    world.run(milliseconds: 500)
    #expect(world.hosts[follower]?.trust.generation == 1)

    guard case .failure(let failure)? = rotate(world, finish: true) else {
      Issue.record("ended although nodes are behind")
      return
    }
    #expect(failure.code == .refused && failure.message.contains("kv://simulated/node/3"))
    guard case .rotate(let ended)? = rotate(world, finish: true, force: true) else {
      Issue.record("not ended")
      return
    }
    #expect(ended.beganMs == 0 && ended.authority == begun.authority)
    #expect(ended.behind.contains { $0.identity == "kv://simulated/node/3" }, "those whom it shuts out")
    world.run(milliseconds: 500)
    #expect(world.hosts.values.allSatisfy { $0.trust.generation == 2 && $0.trust.former.isEmpty })
    guard case .rotate(let nothing)? = rotate(world, finish: true) else {
      Issue.record("no word")
      return
    }
    #expect(nothing.beganMs == 0 && nothing.behind.isEmpty && nothing.authority == ended.authority)
  }

  private static let issue = WireRequest.with {
    $0.issue = .with {
      $0.signingRequest = .init([9])
      $0.name = "alice"
      $0.role = "reader"
      $0.lifetimeSeconds = 60
    }
  }

  @Test("clients get certificates when the nodes have theirs: nodes that show old ones are unknown to them till then")
  func nodesFirst() throws {
    let world = try SimulatedWorld(seed: 8)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    guard case .rotate? = rotate(world) else {
      Issue.record("no rotation begins")
      return
    }
    let failure = try #require(world.ask(Self.issue, of: world.leader(of: 0))?.failure)
    #expect(failure.code == .unavailable && failure.message.contains("first"))
    // One that is away can't hold them up for long.
    world.run(milliseconds: Limits.followingMilliseconds)
    guard case .issue? = world.ask(Self.issue, of: world.leader(of: 0)) else {
      Issue.record("no certificate is issued")
      return
    }
  }

  @Test("none begins without a member, and only an administrator may ask")
  func away() throws {
    let world = try SimulatedWorld(seed: 6)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    let request = WireRequest.with { $0.rotate = WireRotateRequest() }
    let writer = Caller.client(canWrite: true, canAdminister: false)
    #expect(world.ask(request, as: writer)?.failure?.code == .refused)
    let follower = try #require(world.nodes.first { $0 != world.leader(of: 0) })
    world.kill(follower)
    world.run(milliseconds: 2_000)
    let failure = try #require(rotate(world, of: world.leader(of: 0))?.failure)
    #expect(failure.code == .unavailable && failure.message.contains("node \(follower) does not answer"))
    #expect(world.hosts.values.allSatisfy { $0.trust.generation == 0 })
  }

  @Test("a certificate is renewed for its holder and end, by its own serial number, unless it was revoked")
  func reissued() throws {
    let world = try SimulatedWorld(seed: 7)
    func alices() -> [WireCertificate] {
      guard case .certificates(let list)? = world.ask(.with { $0.certificates = .init() }) else { return [] }
      return list.certificates.filter { $0.identity.contains("alice") }
    }
    _ = world.ask(Self.issue)
    let serial = try #require(alices().first).serial
    func renew(_ serial: WireBytes) -> WireResponse.OneOf_Body? {
      world.ask(
        .with {
          $0.reissue = .with {
            $0.signingRequest = .init([10])
            $0.serial = serial
          }
        }, as: .client(canWrite: false, canAdminister: false))
    }
    #expect(renew(serial)?.failure == nil)
    #expect(alices().map(\.follows) == [.init(), serial])
    #expect(renew(.init([1, 2, 3]))?.failure?.code == .refused)
    for _ in 0..<Limits.certificatesOfClient - 2 { #expect(renew(serial)?.failure == nil) }
    #expect(renew(serial)?.failure?.message.contains("are good") == true)
    #expect(world.ask(.with { $0.revoke = .with { $0.serial = serial } })?.failure == nil)
    #expect(renew(serial)?.failure?.code == .refused)
  }
}
