import Bytes
import Testing

@testable import Node

@Suite("The commands of a partition's log")
struct PartitionCommandTests {
  private static let identity = PartitionCommand.Identity(
    id: RequestID(session: SessionID(high: 0x0102_0304_0506_7080, low: 0x9000_0000_0000_0001), sequence: 300),
    acknowledged: 5, digest: 0x1122_3344_5566_7788)
  private static let records = [
    (key: Key("a"), value: Array("1".utf8)), (key: Key("bb"), value: []), (key: Key("c"), value: [0, 255]),
  ]
  private static let batch = PartitionCommand.encode(
    batch: records, identity, version: Version(rawValue: 0x0a0b_0c0d_0e0f_1011))

  private func read(
    _ payload: [UInt8], where isDone: (Range<Int>) -> Bool = { _ in true }
  ) throws -> (writes: [(key: [UInt8], value: [UInt8], version: Version, hasID: Bool)], last: Version) {
    var writes: [(key: [UInt8], value: [UInt8], version: Version, hasID: Bool)] = []
    let last = try PartitionCommand.decode(payload, where: isDone) { write in
      writes.append((Array(payload[write.key]), Array(payload[write.value]), write.version, write.identity != nil))
    }
    return (writes, last)
  }

  @Test("the bytes of a batch")
  func bytes() {
    let expected: [UInt8] = [
      4, 0x11, 0x10, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a,
      0x80, 0x70, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 1, 0, 0, 0, 0, 0, 0, 0x90,
      0xac, 0x02, 5, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
      3, 1, 1, 0x61, 0x31, 2, 0, 0x62, 0x62, 1, 2, 0x63, 0, 255,
    ]
    #expect(Self.batch == expected)
  }

  @Test("a batch is read as it was written: one version, one id")
  func roundTrip() throws {
    let (writes, last) = try read(Self.batch)
    let version = Version(rawValue: 0x0a0b_0c0d_0e0f_1011)
    #expect(last == version && PartitionCommand.firstVersion(of: Self.batch) == version)
    #expect(writes.map(\.key) == Self.records.map(\.key.bytes) && writes.map(\.value) == Self.records.map(\.value))
    #expect(writes.allSatisfy { $0.version == version } && writes.map(\.hasID) == [true, false, false])
  }

  @Test("a key that isn't the partition's leaves a single write out, and a batch as a whole")
  func where_() throws {
    let isDone = { (payload: [UInt8]) in { (key: Range<Int>) in Array(payload[key]) != Array("bb".utf8) } }
    #expect(try read(Self.batch, where: isDone(Self.batch)).writes.isEmpty)
    let single = PartitionCommand.encode(
      Self.records.map { .init(identity: Self.identity, kind: .value, key: $0.key, value: $0.value) },
      first: Version(rawValue: 7))
    let (writes, last) = try read(single, where: isDone(single))
    #expect(writes.map(\.key) == [Array("a".utf8), Array("c".utf8)])
    #expect(writes.map(\.version.rawValue) == [7, 9] && last.rawValue == 9)
  }

  private static let refusal = Refusal(write: 2, present: Version(rawValue: 0x0a0b))
  /// A write, one that was refused, and a write.
  private static let refused = PartitionCommand.encode(
    [
      .init(identity: identity, kind: .value, key: Key("a"), value: [1]),
      .init(identity: identity, kind: .value, key: Key("bb"), value: [2, 2], refusal: refusal),
      .init(identity: identity, kind: .tombstone, key: Key("c"), value: []),
    ], first: Version(rawValue: 7))

  @Test("the bytes of a write that was refused")
  func refusedBytes() {
    let payload = PartitionCommand.encode(
      [.init(identity: Self.identity, kind: .value, key: Key("bb"), value: [2, 2], refusal: Self.refusal)],
      first: Version(rawValue: 7))
    let expected: [UInt8] = [
      1, 7, 0, 0, 0, 0, 0, 0, 0, 1,
      0x80, 0x70, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 1, 0, 0, 0, 0, 0, 0, 0x90,
      0xac, 0x02, 5, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
      2, 2, 0x62, 0x62, 2, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0,
    ]
    #expect(payload == expected)
  }

  @Test("what was refused has its version, and is no write; of a key that isn't the partition's it is left out")
  func refusedAmongWrites() throws {
    let (writes, last) = try read(Self.refused)
    #expect(writes.map(\.version.rawValue) == [7, 9] && last.rawValue == 9)
    var found: [UInt64: Refusal] = [:]
    for isOwn in [true, false] {
      _ = try PartitionCommand.decode(Self.refused) { _ in
        isOwn
      } refused: { identity, refusal, version in
        #expect(identity.id == Self.identity.id && isOwn)
        found[version.rawValue] = refusal
      } each: { _ in
      }
    }
    #expect(found == [8: Self.refusal])
  }

  @Test("whatever is cut off or changed, nothing is read beyond the bytes", arguments: [batch, refused])
  func damage(_ command: [UInt8]) {
    for end in 0..<command.count {
      #expect(throws: ByteError.self) { _ = try read(Array(command[..<end])) }
    }
    #expect(throws: ByteError.self) { _ = try read(command + [0]) }
    for place in command.indices {
      for bit in 0..<8 {
        var changed = command
        changed[place] ^= 1 << UInt8(bit)
        _ = try? read(changed)
      }
    }
  }
}
