import Bytes
import Environment
import Simulation
import Testing

@testable import Table

@Suite struct TableDamageTests {
  private static func size(_ disk: SimulatedDisk) throws -> Int { Int(try disk.open("/t.sst", .read).size()) }

  private static func bytes(_ disk: SimulatedDisk) throws -> [UInt8] {
    try disk.contents(of: "/t.sst", limit: 1 << 24)
  }

  /// Reads everything in every way.
  private static func readAll(_ disk: SimulatedDisk, _ keys: [Key]) throws -> [Record] {
    let reader = try openTable(disk)
    let records = try forward(reader)
    #expect(try backward(reader) == records.reversed())
    for key in keys { _ = try reader.get(key, at: .max) }
    return records
  }

  @Test("any byte flipped in any bit is found out, and the error names the file and a place in the damaged block")
  func flips() throws {
    var random = SplitMix64(seed: 4)
    let records = randomRecords(40, &random)
    let disk = try makeTable(records, TableOptions(blockBytes: 300, restartInterval: 4), tier: .history)
    for offset in 0..<(try Self.size(disk)) {
      let mask = UInt8(1) << UInt8(offset % 8)
      disk.flip("/t.sst", at: offset, mask: mask)
      let error = #expect(throws: TableError.self, "byte \(offset)") { try Self.readAll(disk, []) }
      if case .corrupt(let path, let place, let expected, let found) = error {
        #expect(path == "/t.sst" && place <= UInt64(offset) + 64 && expected != found, "byte \(offset): \(place)")
      } else {
        Issue.record("byte \(offset): \(String(describing: error))")
      }
      disk.flip("/t.sst", at: offset, mask: mask)
    }
    #expect(try Self.readAll(disk, []) == records)
  }

  @Test("a table cut off anywhere, or with something behind it, is refused")
  func truncation() throws {
    var random = SplitMix64(seed: 5)
    let disk = try makeTable(randomRecords(20, &random), TableOptions(blockBytes: 300), tier: .history)
    let whole = try Self.bytes(disk)
    let other = SimulatedDisk()
    for count in 0..<whole.count {
      let file = try other.open("/t.sst", .create)
      try file.write(Array(whole[..<count]), at: 0)
      #expect(throws: TableError.self, "\(count) bytes") { try openTable(other) }
      try other.remove("/t.sst")
    }
    let file = try other.open("/t.sst", .create)
    try file.write(whole + whole, at: 0)
    #expect(throws: TableError.self) { try openTable(other) }
  }

  @Test("a block in the wrong place is found out, though its checksum was right where it was")
  func misplaced() throws {
    let records = (0..<8).map { number in
      Record(key: Key("key\(number)"), version: Version(rawValue: 1), value: [UInt8](repeating: 1, count: 30))
    }
    let disk = try makeTable(records, TableOptions(blockBytes: 50))
    let run = try #require(try openTable(disk).runs.first)
    let index = try run.index(caching: false).index
    #expect(index.handle(0).length == index.handle(1).length)
    let file = try disk.open("/t.sst", .readWrite)
    try file.write(try file.read(at: 0, count: Int(index.handle(0).length)), at: index.handle(1).offset)
    #expect(throws: TableError.self) { try Self.readAll(disk, []) }
  }

  @Test(
    "tables with random changes under right checksums are refused or read, and nothing crashes",
    arguments: 0..<4 as Range<UInt64>)
  func fuzz(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let tier: Tier = seed % 2 == 0 ? .current : .history
    let records = randomRecords(30, &random, tier: tier)
    let keys = records.prefix(5).map(\.key)
    let whole = try Self.bytes(try makeTable(records, TableOptions(blockBytes: 250, restartInterval: 3), tier: tier))
    for _ in 0..<250 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        bytes[at] =
          [0, 1, 0x7f, 0x80, 0xff, UInt8(truncatingIfNeeded: random.next())].randomElement(using: &random) ?? 0
      }
      let disk = SimulatedDisk()
      try disk.open("/t.sst", .create).write(Self.repaired(bytes, like: whole), at: 0)
      do throws(TableError) {
        let reader = try openTable(disk)
        for run in reader.runs { try Self.walk(run) }
        for key in keys {
          try key.bytes.withRawBytes { (bytes) throws(TableError) in
            for run in reader.runs {
              _ = try run.get(bytes, hash: KeyHash.hash(bytes), at: Version(rawValue: 500)) { _ = $0.record }
            }
          }
        }
      } catch {
        guard case .corrupt = error else {
          Issue.record("seed \(seed): \(error)")
          return
        }
      }
    }
  }

  /// Steps through all records, both ways, twice.
  private static func walk(_ run: TableRun) throws(TableError) {
    let cursor = run.cursor()
    for _ in 0..<2 {
      try cursor.seekToFirst()
      var steps = 0
      while cursor.isValid && steps < 10_000 {
        _ = cursor.view.record
        try cursor.next()
        steps += 1
      }
      try cursor.seekToLast()
      while cursor.isValid && steps < 20_000 {
        _ = cursor.view.record
        try cursor.previous()
        steps += 1
      }
    }
  }

  /// The bytes with the checksums that fit them, blocks and footer taken to be where those of `whole` are.
  private static func repaired(_ bytes: [UInt8], like whole: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var at = 0
    while at < whole.count - TableFormat.footerBytes {
      let length = Int(whole[at + 4]) | Int(whole[at + 5]) << 8 | Int(whole[at + 6]) << 16
      let end = at + TableFormat.blockHeaderBytes + length
      let checksum = bytes.withRawBytes {
        Block.checksum(UnsafeRawBufferPointer(rebasing: $0[at..<end]), at: UInt64(at))
      }
      bytes.replaceSubrange(at..<at + 4, with: checksum.bytes)
      at = end
    }
    let magic = bytes.count - 8
    let checksum = CRC32C.checksum(Array(bytes[at..<magic - 4] + bytes[magic...]))
    bytes.replaceSubrange(magic - 4..<magic, with: checksum.bytes)
    return bytes
  }
}

extension UInt32 {
  fileprivate var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}
