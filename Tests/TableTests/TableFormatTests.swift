import Bytes
import Environment
import Simulation
import Testing

@testable import Table

@Suite struct TableFormatTests {
  /// The tables of the examples in kv-sstable(5).
  private static let current: [(Record, span: UInt64)] = [
    (Record(key: Key("user/1"), version: Version(rawValue: 7), value: Array("Ada".utf8)), 4),
    (Record.tombstone(Key("user/12"), Version(rawValue: 5)), 0),
  ]
  private static let history: [(Record, span: UInt64)] = [
    (Record(key: Key("user/1"), version: Version(rawValue: 3), value: Array("Bob".utf8)), 4)
  ]

  /// The examples: what stands between the marks of literal text and begins with offset 0.
  private static func examples() throws -> [String] {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let page = try PosixDisk().contents(of: "/" + root + "/man/kv-sstable.5", limit: 1 << 20)
    return String(decoding: page, as: UTF8.self).split(separator: ".Bd -literal\n").compactMap { part in
      part.hasPrefix("0000  ") ? part.split(separator: "\n.Ed").first.map(String.init) : nil
    }
  }

  /// The bytes of an example: in each line an offset, two spaces, up to eight bytes, two spaces, words.
  private static func bytes(_ example: String) -> [UInt8] {
    example.split(separator: "\n").flatMap { line in
      line.dropFirst(6).prefix(23).split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }
  }

  @Test("the examples in kv-sstable(5) are what the writer writes, byte by byte, and what a dump says of them")
  func golden() throws {
    let examples = try Self.examples()
    #expect(examples.count == 2)
    for (example, (tier, records)) in zip(examples, [(Tier.current, Self.current), (Tier.history, Self.history)]) {
      let disk = SimulatedDisk()
      let writer = try TableWriter(disk: disk, path: "/t.sst", options: TableOptions(), tier: tier)
      for (record, span) in records {
        try record.withView { view in
          try writer.add(
            RecordView(key: view.key, value: view.value, version: view.version, kind: view.kind, span: span))
        }
      }
      _ = try writer.finish()
      #expect(try disk.contents(of: "/t.sst", limit: 4096) == Self.bytes(example))
      var lines: [String] = []
      #expect(try TableDump.run(disk: disk, path: "/t.sst") { lines.append($0.text()) } == 0)
      #expect(lines.joined(separator: "\n") == example)
    }
  }

  @Test("a dump of a table with any byte flipped says where the damage is")
  func damagedDump() throws {
    var random = SplitMix64(seed: 2)
    let disk = try makeTable(randomRecords(10, &random), TableOptions(blockBytes: 100), tier: .history)
    for offset in 0..<Int(try disk.open("/t.sst", .read).size()) {
      disk.flip("/t.sst", at: offset, mask: 0x10)
      var notes: [String] = []
      let faults = try TableDump.run(disk: disk, path: "/t.sst") { notes.append($0.note) }
      #expect(faults > 0 && notes.contains { $0.contains("damaged") }, "byte \(offset)")
      disk.flip("/t.sst", at: offset, mask: 0x10)
    }
  }

  @Test("a table of a newer format is refused by its number")
  func newerFormat() throws {
    let footer = TableFooter(
      directory: BlockHandle(offset: 0, length: 20), properties: BlockHandle(offset: 20, length: 20), fileBytes: 200)
    var bytes = footer.encoded()
    #expect(try TableFooter(decoding: bytes) == footer)
    bytes[36] = 2
    let checksum = CRC32C.checksum(Array(bytes[..<40] + bytes[44...]))
    bytes.replaceSubrange(40..<44, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) })
    #expect(throws: ByteError.malformed(offset: 36, expected: "format version 1", found: "2")) {
      try TableFooter(decoding: bytes)
    }
  }
}
