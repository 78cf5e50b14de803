import Bytes
import TLS
import Testing

@Suite("Certificates")
struct CertificateTests {
  let cluster: Cluster

  init() throws { cluster = try Cluster() }

  @Test("A certificate is to be renewed after two thirds of the time for which it was made")
  func renewal() {
    #expect(Validity.seconds(300, from: 1000) == Validity(notBefore: 700, notAfter: 1300))
    #expect(Validity.seconds(300, from: 1000).renewal == 1200)
    #expect(Validity(notBefore: 700, notAfter: 800).renewal == 1000)
  }

  @Test("A certificate carries the identity that the signer gave it, and survives its DER form")
  func roundTrip() throws {
    for identity in [cluster.node(42), cluster.user("ada", .admin), cluster.user("b", .reader)] {
      let (certificate, _) = try cluster.issue(identity)
      let read = try Certificate(der: certificate.der)
      #expect(read == certificate)
      #expect(read.identity == identity)
      #expect(read.serial == certificate.serial)
      #expect(read.authorityOf == nil)
      #expect(try read.sha256() == certificate.sha256())
    }
  }

  @Test("Validity starts five minutes back and lasts as long as told: a year, ten for a CA")
  func validity() throws {
    let now = Validity.now()
    let (leaf, _) = try cluster.issue(cluster.node(1))
    let ca = cluster.authority.certificate
    for (validity, days) in [(leaf.validity, Int64(365)), (ca.validity, 3650)] {
      #expect(abs(validity.notBefore - (now - 300)) <= 5)
      #expect(abs(validity.notAfter - (now + days * 86_400)) <= 5)
    }
    let given = Validity(notBefore: 1_700_000_000, notAfter: 1_700_000_001)
    #expect(try cluster.issue(cluster.node(1), validity: given).0.validity == given)
    // Beyond 2050 the form of times in a certificate is another (RFC 5280 §4.1.2.5).
    let far = Validity(notBefore: 0, notAfter: 4_102_444_800)
    #expect(try cluster.issue(cluster.node(1), validity: far).0.validity == far)
  }

  @Test("Serial numbers are random: 128 bits, no two alike")
  func serials() throws {
    let serials = try (0..<20).map { _ in try cluster.issue(cluster.node(1)).0.serial }
    #expect(Set(serials).count == 20)
    #expect(serials.allSatisfy { $0.count <= 16 })
    #expect(serials.contains { $0.count == 16 })
  }

  @Test("A CA survives its DER forms and signs on")
  func reload() throws {
    let ca = cluster.authority
    let read = try CertificateAuthority(certificateDER: ca.certificate.der, keyDER: ca.key.der())
    #expect(read.clusterID == "alpha")
    #expect(read.certificate.authorityOf == "alpha")
    let certificate = try read.sign(try SigningRequest(key: .generate()), identity: cluster.node(5))
    #expect(certificate.identity == cluster.node(5))
  }

  @Test("A CA is refused with a foreign key, and without a CA's certificate")
  func wrongAuthority() throws {
    let ca = cluster.authority
    let (leaf, key) = try cluster.issue(cluster.node(1))
    #expect(throws: TLSError.self) {
      try CertificateAuthority(certificateDER: ca.certificate.der, keyDER: try PrivateKey.generate().der())
    }
    #expect(throws: TLSError.self) { try CertificateAuthority(certificateDER: leaf.der, keyDER: key.der()) }
  }

  @Test("A CA signs for its own cluster only, and only names that fit")
  func foreign() throws {
    let request = try SigningRequest(key: .generate())
    for identity in [
      PeerIdentity.node(cluster: "beta", id: NodeID(rawValue: 1)),
      .client(cluster: "alpha", name: "a,URI:kv://alpha/node/1", role: .reader),
      .client(cluster: "alpha", name: "", role: .reader),
    ] {
      #expect(throws: TLSError.self) { try cluster.authority.sign(request, identity: identity) }
    }
    #expect(throws: TLSError.self) { try CertificateAuthority.create(clusterID: "no spaces") }
    #expect(throws: TLSError.self) {
      try cluster.authority.sign(
        request, identity: cluster.node(1), validity: Validity(notBefore: 10, notAfter: 10))
    }
  }

  @Test("A request survives its DER form; one that was changed in any byte is refused")
  func requests() throws {
    let request = try SigningRequest(key: .generate())
    let der = request.der
    #expect(try SigningRequest(der: der).der == der)
    for at in der.indices {
      var changed = der
      changed[at] ^= 0x10
      #expect(throws: TLSError.self, "byte \(at)") { try SigningRequest(der: changed) }
    }
    #expect(throws: TLSError.self) { try SigningRequest(der: der + [0]) }
    #expect(throws: TLSError.self) { try SigningRequest(der: []) }
  }

  @Test("A key survives its DER form; other bytes are no key")
  func keys() throws {
    let key = try PrivateKey.generate()
    let read = try PrivateKey(der: key.der())
    #expect(try read.publicKeyDER() == key.publicKeyDER())
    let (certificate, own) = try cluster.issue(cluster.node(1))
    #expect(try certificate.publicKeyDER() == own.publicKeyDER())
    let der = try key.der()
    #expect(try key.withDER { Array($0) } == der)
    #expect(throws: TLSError.self) { try PrivateKey(der: der + [0]) }
    #expect(throws: TLSError.self) { try PrivateKey(der: Array(der.dropLast())) }
    #expect(throws: TLSError.self) { try PrivateKey(der: certificate.der) }
  }

  @Test("Bytes that are no certificate are refused, whatever they are")
  func garbage() throws {
    let seed: UInt64 = 8
    var random = SplitMix64(seed: seed)
    let der = try cluster.issue(cluster.node(1)).0.der
    #expect(throws: TLSError.self) { try Certificate(der: der + [0]) }
    for _ in 0..<500 {
      var bytes = der
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: .min ... .max, using: &random)
      }
      // Either refused, or read as some certificate: that it never passes a handshake is the signature's work.
      if let read = try? Certificate(der: bytes) { _ = (read.identity, read.authorityOf, read.der) }
    }
  }
}

@Suite("Sealed boxes")
struct SealedBoxTests {
  @Test("A box is opened by its key and gives back the bytes", arguments: [0, 1, 138, 100_000])
  func roundTrip(count: Int) throws {
    let key = try PrivateKey.generate()
    let text = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let box = try SealedBox.seal(text, to: try key.publicKeyDER())
    #expect(box.count == count + SealedBox.overheadBytes)
    #expect(try SealedBox.open(box, with: key) == text)
  }

  @Test("The same bytes sealed twice give different boxes")
  func fresh() throws {
    let key = try PrivateKey.generate().publicKeyDER()
    #expect(try SealedBox.seal([1], to: key) != SealedBox.seal([1], to: key))
  }

  @Test("Another key opens nothing, and a box that was changed in any byte or cut is refused")
  func tampering() throws {
    let key = try PrivateKey.generate()
    let box = try SealedBox.seal(Array("the CA's key".utf8), to: try key.publicKeyDER())
    #expect(throws: TLSError.self) { try SealedBox.open(box, with: try PrivateKey.generate()) }
    for at in box.indices {
      var changed = box
      changed[at] ^= 1
      #expect(throws: TLSError.self, "byte \(at)") { try SealedBox.open(changed, with: key) }
    }
    for count in [0, 1, 81, box.count - 1] {
      #expect(throws: TLSError.self) { try SealedBox.open(Array(box.prefix(count)), with: key) }
    }
    #expect(throws: TLSError.self) { try SealedBox.seal([1], to: [1, 2, 3]) }
  }
}
