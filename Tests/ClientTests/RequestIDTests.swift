import Bytes
import Testing

@testable import Client

@Suite struct RequestIDTests {
  private var random = SplitMix64(seed: 7)

  @Test("a session is a UUIDv7: it begins with its time and has the version and variant bits")
  mutating func uuid() {
    let session = SessionID(milliseconds: 0x0123_4567_89ab, using: &random)
    #expect(Array(session.bytes.prefix(6)) == [0x01, 0x23, 0x45, 0x67, 0x89, 0xab])
    #expect(session.bytes[6] >> 4 == 7 && session.bytes[8] >> 6 == 2)
    #expect(session.milliseconds == 0x0123_4567_89ab)
    #expect(session.description.hasPrefix("01234567-89ab-7"))
    #expect(SessionID(milliseconds: 0x0123_4567_89ab, using: &random) != session)
  }

  @Test("a request id's text is read back, in either case")
  mutating func roundTrip() {
    for sequence: UInt64 in [1, 42, .max] {
      let session = SessionID(milliseconds: .random(in: 0..<1 << 48, using: &random), using: &random)
      let id = RequestID(session: session, sequence: sequence)
      #expect(RequestID(parsing: id.description) == id)
      #expect(RequestID(parsing: id.description.uppercased()) == id)
    }
  }

  @Test(
    "any other text is refused",
    arguments: [
      "", "/", "/1", "0192f3a4-0000-7000-8000-000000000000", "0192f3a4-0000-7000-8000-000000000000/",
      "0192f3a4-0000-7000-8000-000000000000/0", "0192f3a4-0000-7000-8000-000000000000/01",
      "0192f3a4-0000-7000-8000-000000000000/+1", "0192f3a4-0000-7000-8000-000000000000/1/2",
      "0192f3a4-0000-7000-8000-000000000000/18446744073709551616", "0192f3a4-0000-4000-8000-000000000000/1",
      "0192f3a4-0000-7000-c000-000000000000/1", "0192f3a4000070008000000000000000/1",
      "0192f3a4-0000-7000-8000-00000000000g/1", "0192f3a4-0000-7000-8000-0000000000000/1",
      "０192f3a4-0000-7000-8000-000000000000/1", " 0192f3a4-0000-7000-8000-000000000000/1",
    ])
  func refused(_ text: String) {
    #expect(RequestID(parsing: text) == nil)
  }
}

@Suite struct SessionTests {
  private let world = FakeWorld()

  @Test("sequences count up, and what is acknowledged follows the lowest that is open")
  func acknowledged() {
    var session = Session(world)
    let ids = (0..<4).map { _ in session.take() }
    #expect(ids.map(\.id.sequence) == [1, 2, 3, 4] && ids.allSatisfy { $0.acknowledged == 0 })
    session.settle(ids[1].id, isKnown: true)
    session.settle(ids[2].id, isKnown: true)
    #expect(session.take().acknowledged == 0)
    session.settle(ids[0].id, isKnown: true)
    #expect(session.take().acknowledged == 3)
  }

  @Test("a session is left after half an hour, and after an unknown outcome, which it never acknowledges")
  func renewal() {
    var session = Session(world)
    let first = session.take().id
    world.advance(to: world.now + ClientLimits.sessionAge)
    #expect(session.take().id.session == first.session)
    world.advance(to: world.now + 1)
    let second = session.take().id
    #expect(second.session != first.session && second.sequence == 1)
    session.settle(second, isKnown: false)
    let third = session.take()
    #expect(third.id.session != second.session && third.acknowledged == 0)
    // Late answers to older sessions change nothing.
    session.settle(first, isKnown: true)
    #expect(session.take().acknowledged == 0)
  }
}
