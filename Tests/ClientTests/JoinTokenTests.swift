import Bytes
import FoundationEssentials
import Testing
import Wire

@testable import Client

@Suite struct JoinTokenTests {
  private static let token = JoinToken(
    cluster: "c1", pin: Array(1...32), secret: Array(100...131), addresses: ["10.0.0.1:4711", "[::1]:1"])

  @Test("a token's text is read back, with white space around it too")
  func roundTrip() throws {
    let text = Self.token.encode()
    #expect(text.hasPrefix("kv1.") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f })
    #expect(try JoinToken(parsing: text) == Self.token)
    #expect(try JoinToken(parsing: " \n\(text)\n") == Self.token)
  }

  @Test("a text that is no token is told from one that is damaged")
  func kinds() {
    for text in ["", "   ", "hello", "kv2.AAAA", String(repeating: "x", count: 10_000)] {
      guard case .notAToken = #expect(throws: JoinTokenError.self, performing: { try JoinToken(parsing: text) }) else {
        Issue.record("'\(text.prefix(20))' was not told to be no token")
        continue
      }
    }
    let text = Self.token.encode()
    for damaged in ["kv1.", text + "!", String(text.dropLast(3)), text.dropLast(40) + "", "kv1.A"] {
      guard case .malformed = #expect(throws: JoinTokenError.self, performing: { try JoinToken(parsing: damaged) })
      else {
        Issue.record("'\(damaged)' was not told to be damaged")
        continue
      }
    }
  }

  @Test("cut anywhere, a token is refused, or lacks whole addresses at its end")
  func cut() throws {
    let text = Self.token.encode()
    for length in 0..<text.count {
      guard let cut = try? JoinToken(parsing: String(text.prefix(length))) else { continue }
      #expect(cut.addresses == [Self.token.addresses[0]] && cut.secret == Self.token.secret)
    }
  }

  @Test("parts that can't be right are refused")
  func parts() {
    let bad = [
      JoinToken(cluster: "", pin: Self.token.pin, secret: Self.token.secret, addresses: ["a:1"]),
      JoinToken(cluster: "a b", pin: Self.token.pin, secret: Self.token.secret, addresses: ["a:1"]),
      JoinToken(cluster: "c", pin: [1], secret: Self.token.secret, addresses: ["a:1"]),
      JoinToken(cluster: "c", pin: Self.token.pin, secret: [1, 2], addresses: ["a:1"]),
      JoinToken(cluster: "c", pin: Self.token.pin, secret: Self.token.secret, addresses: []),
      JoinToken(cluster: "c", pin: Self.token.pin, secret: Self.token.secret, addresses: ["a"]),
      JoinToken(
        cluster: "c", pin: Self.token.pin, secret: Self.token.secret, addresses: Array(repeating: "a:1", count: 17)),
    ]
    for token in bad { #expect(throws: JoinTokenError.self) { try JoinToken(parsing: token.encode()) } }
  }

  @Test("the secret never appears in an error")
  func secrecy() {
    let text = JoinToken(cluster: "c", pin: [], secret: Self.token.secret, addresses: ["a:1"]).encode()
    let error = #expect(throws: JoinTokenError.self) { try JoinToken(parsing: text) }
    #expect(error?.description.contains(text.dropFirst(8).prefix(20)) == false)
    #expect(!"\(Self.token)".contains("100, 101"))
  }

  @Test("enrolment goes to each address until one answers, sends the secret, and never asks for a map")
  func enrolment() throws {
    let world = FakeWorld()
    let address = Self.token.addresses[1]
    world.nodes[address] = FakeNode(address) { request in
      guard case .enrol(let enrol) = request.body, enrol.secret.array == Self.token.secret else { return .hangUp }
      var answer = WireEnrolResponse()
      answer.node = 4
      return .answer(.enrol(answer))
    }
    var lost = 2
    let handler = world.nodes[address]?.handler
    world.nodes[address]?.handler = { request in
      lost -= 1
      return lost >= 0 ? .hangUp : handler?(request) ?? .hangUp
    }
    let client = Client(joining: Self.token, timeout: 3000, surroundings: world)
    let answer = try client.enrol(Self.token, signingRequest: [1], address: "x:1", zone: "", format: 1)
    #expect(answer.node == 4 && world.dials.prefix(2) == Self.token.addresses.prefix(2))
    #expect(world.nodes[address]?.requests.count == 3)
  }
}

@Suite struct Base64Tests {
  @Test(
    "the test vectors of RFC 4648",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ])
  func vectors(_ plain: String, _ encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
    let url = encoded.filter { $0 != "=" }
    #expect(Base64.encode(Array(plain.utf8), .url) == url)
    #expect(Base64.decode(url.utf8, .url) == Array(plain.utf8))
  }

  @Test("all bytes come back, in both alphabets")
  func roundTrip() {
    var random = SplitMix64(seed: 4)
    for length in 0..<100 {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      for alphabet in [Base64.Alphabet.standard, .url] {
        #expect(Base64.decode(Base64.encode(bytes, alphabet).utf8, alphabet) == bytes)
      }
    }
  }

  @Test(
    "every other text is refused",
    arguments: ["Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=", "Zg==Zg==", "Zm 9v", "Z_-v"])
  func refused(_ text: String) {
    #expect(Base64.decode(text.utf8) == nil)
  }
}
