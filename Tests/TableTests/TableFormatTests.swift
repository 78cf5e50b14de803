import Bytes
import Environment
import Simulation
import Testing

@testable import Table

@Suite struct TableFormatTests {
  /// The table of the example in kv-sstable(5).
  private static let records = [
    Record(key: Key("user/1"), version: Version(rawValue: 7), value: Array("Ada".utf8)),
    Record(key: Key("user/1"), version: Version(rawValue: 3), value: Array("Bob".utf8)),
    Record.tombstone(Key("user/12"), Version(rawValue: 5)),
  ]

  /// The bytes of the example: in each line an offset of four digits, two spaces, up to eight bytes, two spaces, words.
  private static func example(_ page: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for line in page.split(separator: "\n") {
      let parts = line.split(separator: " ", omittingEmptySubsequences: true)
      guard let first = parts.first, first.count == 4, UInt32(first, radix: 16) == UInt32(bytes.count) else { continue }
      let hex = line.dropFirst(6).prefix(23).split(separator: " ")
      bytes += hex.compactMap { $0.count == 2 ? UInt8($0, radix: 16) : nil }
    }
    return bytes
  }

  @Test("the example in kv-sstable(5) is what the writer writes, byte by byte, and what the reader reads")
  func golden() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let page = try PosixDisk().contents(of: "/" + root + "/man/kv-sstable.5", limit: 1 << 20)
    let example = Self.example(String(decoding: page, as: UTF8.self))
    let disk = try makeTable(Self.records)
    #expect(try disk.contents(of: "/t.sst", limit: 4096) == example)
    try disk.remove("/t.sst")
    try disk.open("/t.sst", .create).write(example, at: 0)
    #expect(try forward(try openTable(disk)) == Self.records)
  }

  @Test("a table of a newer format is refused by its number")
  func newerFormat() throws {
    let footer = TableFooter(
      topIndex: BlockHandle(offset: 0, length: 20), filter: nil, properties: BlockHandle(offset: 20, length: 20),
      fileBytes: 200)
    var bytes = footer.encoded()
    #expect(try TableFooter(decoding: bytes) == footer)
    bytes[48] = 2
    let checksum = CRC32C.checksum(Array(bytes[..<52] + bytes[56...]))
    bytes.replaceSubrange(52..<56, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) })
    #expect(throws: ByteError.malformed(offset: 48, expected: "format version 1", found: "2")) {
      try TableFooter(decoding: bytes)
    }
  }
}
