import Testing

@testable import Bytes

@Suite struct EntryTests {
  private func bytes(_ count: ClosedRange<Int>, _ random: inout SplitMix64) -> [UInt8] {
    (0..<Int.random(in: count, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  private func randomEntry(_ random: inout SplitMix64) -> LogEntry {
    LogEntry(
      term: Term(rawValue: random.next() >> 1), index: LogIndex(rawValue: random.next() >> 1),
      kind: Bool.random(using: &random) ? .command : .membership, payload: bytes(0...50, &random))
  }

  private func randomRecord(_ random: inout SplitMix64) -> Record {
    let key = Key(bytes(0...200, &random))
    let version = Version(rawValue: random.next())
    return Bool.random(using: &random)
      ? .tombstone(key, version) : Record(key: key, version: version, value: bytes(0...200, &random))
  }

  @Test("an entry has this form: payload length, term, index, kind, payload")
  func entryForm() {
    let entry = LogEntry(
      term: Term(rawValue: 2), index: LogIndex(rawValue: 3), kind: .membership, payload: [0xaa, 0xbb])
    var writer = ByteWriter()
    entry.encode(into: &writer)
    #expect(writer.bytes == [2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0xaa, 0xbb])
    #expect(writer.count == entry.encodedBytes)
  }

  @Test("a record has this form: version, kind, key length, value length, key, value")
  func recordForm() {
    var writer = ByteWriter()
    Record(key: Key("k"), version: Version(rawValue: 9), value: [0xaa, 0xbb]).encode(into: &writer)
    #expect(writer.bytes == [9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0x6b, 0xaa, 0xbb])
    writer.removeAll()
    Record.tombstone(Key("k"), Version(rawValue: 9)).encode(into: &writer)
    #expect(writer.bytes == [9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x6b])
  }

  @Test("entries and records come back as they were written, one behind the other")
  func roundTrip() throws {
    for seed in 0..<UInt64(200) {
      var random = SplitMix64(seed: seed)
      let (entry, record) = (randomEntry(&random), randomRecord(&random))
      var writer = ByteWriter()
      entry.encode(into: &writer)
      record.encode(into: &writer)
      var reader = ByteReader(writer.bytes)
      #expect(try LogEntry(from: &reader) == entry, "seed \(seed)")
      #expect(try Record(from: &reader) == record, "seed \(seed)")
      try reader.finish()
    }
  }

  @Test("cut short anywhere, entries and records are refused")
  func truncated() {
    for seed in 0..<UInt64(20) {
      var random = SplitMix64(seed: seed)
      var (entry, record) = (ByteWriter(), ByteWriter())
      randomEntry(&random).encode(into: &entry)
      randomRecord(&random).encode(into: &record)
      for count in 0..<entry.count {
        var reader = ByteReader(entry.bytes, range: 0..<count)
        #expect(throws: ByteError.self, "seed \(seed)") { try LogEntry(from: &reader) }
      }
      for count in 0..<record.count {
        var reader = ByteReader(record.bytes, range: 0..<count)
        #expect(throws: ByteError.self, "seed \(seed)") { try Record(from: &reader) }
      }
    }
  }

  @Test("damaged bytes are refused or read as what they say, never past the end")
  func fuzz() {
    for seed in 0..<UInt64(3000) {
      var random = SplitMix64(seed: seed)
      var (entry, record) = (ByteWriter(), ByteWriter())
      randomEntry(&random).encode(into: &entry)
      randomRecord(&random).encode(into: &record)
      for (isEntry, original) in [(true, entry.bytes), (false, record.bytes)] {
        var damaged = original
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          damaged[Int.random(in: 0..<min(25, damaged.count), using: &random)] = UInt8.random(
            in: 0...255, using: &random)
        }
        var reader = ByteReader(damaged)
        var writer = ByteWriter()
        do {
          if isEntry {
            try LogEntry(from: &reader).encode(into: &writer)
          } else {
            try Record(from: &reader).encode(into: &writer)
          }
          #expect(writer.bytes == Array(damaged[..<reader.offset]), "seed \(seed)")
        } catch {
          #expect(reader.offset <= damaged.count, "seed \(seed)")
        }
      }
    }
  }

  @Test("an entry or record beyond the limits is refused, however many bytes follow")
  func limits() {
    var writer = ByteWriter()
    writer.u32(UInt32(Limits.entryBytes.rawValue) + 1)
    writer.raw([UInt8](repeating: 0, count: 100))
    var reader = ByteReader(writer.bytes)
    #expect(throws: ByteError.malformed(offset: 0, expected: "an entry of at most 12 MiB", found: "12582913 bytes")) {
      try LogEntry(from: &reader)
    }
    for (kind, key, value): (UInt8, Int, Int) in [
      (1, Limits.keyBytes.rawValue + 1, 0), (1, 1, Limits.valueBytes.rawValue + 1), (0, 1, 1), (2, 1, 1),
    ] {
      var writer = ByteWriter()
      writer.u64(1)
      writer.u8(kind)
      writer.varint(UInt64(key))
      writer.varint(UInt64(value))
      writer.raw([UInt8](repeating: 0, count: key + value))
      var reader = ByteReader(writer.bytes)
      #expect(throws: ByteError.self) { try Record(from: &reader) }
    }
  }

  @Test("a term or index that no log reaches is refused, so that arithmetic on them can't overflow")
  func farAway() {
    for (term, index) in [(UInt64.max, UInt64(1)), (1, .max), (1, 1 << 63)] {
      var writer = ByteWriter()
      LogEntry(term: Term(rawValue: term), index: LogIndex(rawValue: index), payload: []).encode(into: &writer)
      var reader = ByteReader(writer.bytes)
      #expect(throws: ByteError.self) { try LogEntry(from: &reader) }
    }
  }
}
