import Bytes
import Testing

@testable import TLS

@Suite("Established sessions")
struct SessionTests {
  private func pair() throws -> Pair {
    let cluster = try Cluster()
    let pair = try Pair(client: try cluster.client(), server: try cluster.server())
    pair.run()
    #expect(pair.isEstablished)
    return pair
  }

  private func randomBytes(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
  }

  @Test("20 MB arrive whole and in order, written and carried in odd pieces, whatever room is lent")
  func bulk() throws {
    let seed: UInt64 = 20
    var random = SplitMix64(seed: seed)
    let pair = try pair()
    let pattern = randomBytes(400_000, &random)
    var sent = 0
    var digest = CRC32C.checksum([])
    while sent < 20_000_000 {
      let count = Int.random(in: 1...200_000, using: &random)
      let start = Int.random(in: 0..<200_000, using: &random)
      let piece = Array(pattern[start..<(start + count)])
      sent += count
      digest = CRC32C.checksum(piece, seed: digest)
      let ciphertext = try pair.client.write(piece, room: Int.random(in: 0...300_000, using: &random))
      var at = 0
      while at < ciphertext.count {
        let end = min(ciphertext.count, at + Int.random(in: 1...70_000, using: &random))
        pair.server.feed(Array(ciphertext[at..<end]))
        at = end
      }
    }
    #expect(pair.server.error == nil, "seed \(seed)")
    #expect(pair.server.received.count == sent, "seed \(seed)")
    #expect(CRC32C.checksum(pair.server.received) == digest, "seed \(seed)")
  }

  @Test("A handshake and data carried one byte at a time arrive all the same")
  func singleBytes() throws {
    let cluster = try Cluster()
    let pair = try Pair(client: try cluster.client(), server: try cluster.server())
    pair.client.start()
    for _ in 0..<10 {
      for byte in pair.client.output() { pair.server.feed([byte]) }
      for byte in pair.server.output() { pair.client.feed([byte]) }
    }
    #expect(pair.isEstablished)
    let text = Array("one byte at a time".utf8)
    for byte in try pair.client.write(text, room: 7) { pair.server.feed([byte]) }
    #expect(pair.server.received == text)
  }

  @Test("Many small writes and one large one say the same")
  func smallWrites() throws {
    let pair = try pair()
    for byte in 0..<200 { pair.server.feed(try pair.client.write([UInt8(byte)])) }
    #expect(pair.server.received == (0..<200).map { UInt8($0) })
  }

  @Test("The estimate of ciphertext is never too small", arguments: [0, 1, 16_383, 16_384, 16_385, 65_536, 1_000_000])
  func estimate(count: Int) throws {
    let pair = try pair()
    let written = try pair.client.write([UInt8](repeating: 7, count: count))
    #expect(written.count <= TLSSession.ciphertextBytes(for: count))
    #expect(pair.client.session.pendingOutput == 0)
  }

  @Test("A farewell ends the input in order; what is cut short without one is called truncated")
  func farewell() throws {
    let pair = try pair()
    let last = try pair.client.write([9])
    pair.client.session.close()
    pair.server.feed(last + pair.client.output())
    #expect(pair.server.received == [9])
    #expect(pair.server.ended)
    #expect(pair.server.session.inputEnded() == nil)

    let cut = try self.pair()
    cut.server.feed(try cut.client.write([9]))
    #expect(cut.server.session.inputEnded() == .truncated)
  }

  @Test("After the peer's farewell the other direction still works")
  func halfClose() throws {
    let pair = try pair()
    pair.client.session.close()
    pair.server.feed(pair.client.output())
    #expect(pair.server.ended)
    pair.client.feed(try pair.server.write([1, 2, 3]))
    #expect(pair.client.received == [1, 2, 3])
    pair.server.session.close()
    pair.client.feed(pair.server.output())
    #expect(pair.client.ended)
  }

  @Test("After the own farewell nothing can be written")
  func closed() throws {
    let pair = try pair()
    pair.client.session.close()
    pair.client.session.close()
    #expect(throws: TLSError.closed) { try pair.client.write([1]) }
  }

  @Test("A key is replaced when it has encrypted its share, and the peer reads on")
  func keyRenewal() throws {
    let pair = try pair()
    pair.client.session.keyLifetime = 10_000
    for round in 0..<50 {
      pair.server.feed(try pair.client.write([UInt8](repeating: UInt8(round), count: 3_000)))
    }
    #expect(pair.server.error == nil)
    #expect(pair.server.received.count == 150_000)
  }

  @Test("One flipped bit anywhere in a record ends the session; its bytes are not delivered")
  func damage() throws {
    let seed: UInt64 = 3
    var random = SplitMix64(seed: seed)
    let cluster = try Cluster()
    let (client, server) = (try cluster.client(), try cluster.server())
    for _ in 0..<30 {
      let pair = try Pair(client: client, server: server)
      pair.run()
      var record = try pair.client.write([1, 2, 3, 4])
      // The header's version bytes are ignored by the protocol, but authenticated with the record.
      record[Int.random(in: 5..<record.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      pair.server.feed(record)
      #expect(pair.server.error != nil, "seed \(seed)")
      #expect(pair.server.received.isEmpty, "seed \(seed)")
      #expect(pair.server.error?.isRefusal == false)
    }
  }

  @Test("Garbage at any point of the handshake ends that session with an error and nothing else")
  func fuzz() throws {
    let seed: UInt64 = 11
    var random = SplitMix64(seed: seed)
    let cluster = try Cluster()
    let (client, server) = (try cluster.client(), try cluster.server())
    for round in 0..<400 {
      let pair = try Pair(client: client, server: server)
      pair.client.start()
      let victimIsServer = Bool.random(using: &random)
      for step in 0..<4 {
        var there = pair.client.output()
        if victimIsServer, step == round % 2 { spoil(&there, &random) }
        if !there.isEmpty { pair.server.feed(there) }
        var back = pair.server.output()
        if !victimIsServer, step == 0 { spoil(&back, &random) }
        if !back.isEmpty { pair.client.feed(back) }
      }
      // Whatever was hit: nobody believes in anybody else, and no plaintext appears from nowhere.
      if pair.client.session.isEstablished { #expect(pair.client.session.peer == cluster.node(1)) }
      if pair.server.session.isEstablished { #expect(pair.server.session.peer == cluster.user()) }
      #expect(pair.server.received.isEmpty && pair.client.received.isEmpty, "seed \(seed), round \(round)")
      if pair.isEstablished { try pair.echo() }
    }
    let sane = try Pair(client: client, server: server)
    sane.run()
    #expect(sane.isEstablished, "seed \(seed)")
  }

  /// Flips, cuts, inserts or replaces bytes.
  private func spoil(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
    guard !bytes.isEmpty else { return }
    let at = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes[at] ^= UInt8.random(in: 1 ... .max, using: &random)
    case 1: bytes.removeSubrange(at...)
    case 2: bytes.insert(contentsOf: randomBytes(Int.random(in: 1...300, using: &random), &random), at: at)
    default: bytes = randomBytes(Int.random(in: 1...2_000, using: &random), &random)
    }
  }
}
