import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Outcomes of which the client has heard")
struct AcknowledgementTests {
  private static let session = SessionID(high: 0x0192_0000_0000_7000, low: 0x8000_0000_0000_0001)
  private static let command = AcknowledgementCommand(sessions: [
    .init(id: session, through: 300), .init(id: SessionID(high: 1, low: 2), through: 5),
  ])

  private func cluster(seed: UInt64, format: UInt32 = NodeDirectory.format) throws -> SimulatedWorld {
    var options = NodeOptions()
    options.format = format
    let world = try SimulatedWorld(seed: seed, partitions: 2, options: options)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    return world
  }

  /// A session that begins now.
  private func session(in world: SimulatedWorld) -> [UInt8] {
    var writer = ByteWriter()
    writer.u64((world.clock.wallMilliseconds << 16 | 0x7000).byteSwapped)
    writer.u64(0x80)
    return writer.bytes
  }

  /// Writes of one session that acknowledge nothing by themselves.
  private func write(
    _ count: UInt64, from first: UInt64 = 1, of session: [UInt8], in world: SimulatedWorld
  ) -> [Version] {
    (first..<(first + count)).compactMap { sequence in
      let answer = world.ask(
        .with {
          $0.write = .with {
            $0.key = .init("k\(sequence)".utf8)
            $0.value = .init([1])
            $0.session = .init(session)
            $0.sequence = sequence
          }
        })
      return answer?.version
    }
  }

  private func tell(_ session: [UInt8], through sequence: UInt64, in world: SimulatedWorld) {
    for node in world.hosts.keys.sorted() {
      let answer = world.ask(
        .with {
          $0.acknowledge = .with {
            $0.session = .init(session)
            $0.through = sequence
          }
        }, of: node)
      #expect(answer == .acknowledge(WireAcknowledgeResponse()))
    }
  }

  private func outcomes(_ world: SimulatedWorld) -> Set<Int> {
    Set(world.hosts.values.map { $0.node.partitions.reduce(0) { $0 + $1.sessions.outcomeCount } })
  }

  @Test("are forgotten on every replica, after a restart too; what comes late of them is refused, later ones are kept")
  func forgotten() throws {
    let world = try cluster(seed: 11)
    let session = session(in: world)
    #expect(write(20, of: session, in: world).count == 20)
    world.run(milliseconds: 1_000)
    #expect(outcomes(world) == [20])
    tell(session, through: 15, in: world)
    world.run(milliseconds: 3_000)
    #expect(outcomes(world) == [5])
    for node in world.hosts.keys.sorted() {
      world.kill(node)
      try world.start(node)
      #expect(world.settle())
    }
    world.run(milliseconds: 1_000)
    #expect(outcomes(world) == [5])
    // Number 15 was answered before: this copy of it comes late, and number 16 is repeated.
    #expect(write(2, from: 15, of: session, in: world).count == 1)
    #expect(outcomes(world) == [5])
  }

  @Test("stay where they were while a member doesn't know the command")
  func olderFormat() throws {
    let world = try cluster(seed: 12, format: AcknowledgementCommand.format - 1)
    let session = session(in: world)
    #expect(write(3, of: session, in: world).count == 3)
    tell(session, through: 3, in: world)
    world.run(milliseconds: 5_000)
    #expect(outcomes(world) == [3])
  }

  @Test("of many sessions go with one command, and none is made for a session that isn't kept")
  func together() {
    var heard = Acknowledgements()
    let (now, ids) = (Moment(rawValue: 5), (0..<10).map { SessionID(high: UInt64($0), low: 0) })
    for id in ids { heard.note(id, through: 7, now: now) }
    heard.note(ids[3], through: 4, now: now)
    #expect(heard.takeDue(now.advanced(milliseconds: 999)) == nil && !heard.isEmpty)
    let command = heard.takeDue(now.advanced(milliseconds: 1_000))
    #expect(command?.sessions == ids.map { .init(id: $0, through: 7) } && heard.isEmpty)
    #expect(!SessionTable().keeps(ids[0], upTo: .max))
  }

  @Test("the bytes of the command")
  func bytes() throws {
    let expected: [UInt8] = [
      5, 2, 0x00, 0x70, 0, 0, 0, 0, 0x92, 0x01, 1, 0, 0, 0, 0, 0, 0, 0x80, 0xac, 0x02,
      1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5,
    ]
    #expect(Self.command.encode() == expected)
    #expect(try AcknowledgementCommand(payload: expected) == Self.command)
  }

  @Test("of the command whatever is cut off or added, it is refused")
  func damage() {
    let bytes = Self.command.encode()
    for end in bytes.indices {
      #expect(throws: ByteError.self) { try AcknowledgementCommand(payload: Array(bytes[..<end])) }
    }
    #expect(throws: ByteError.self) { try AcknowledgementCommand(payload: bytes + [0]) }
    for place in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[place] ^= 1 << UInt8(bit)
        _ = try? AcknowledgementCommand(payload: changed)
      }
    }
  }
}
