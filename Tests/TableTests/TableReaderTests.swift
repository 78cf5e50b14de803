import Bytes
import Environment
import Simulation
import Testing

@testable import Table

@Suite struct TableReaderTests {
  static let layouts = [
    TableOptions(),
    TableOptions(blockBytes: 64, restartInterval: 1),
    TableOptions(blockBytes: 100, restartInterval: 2, bloomBitsPerKey: 0),
    TableOptions(blockBytes: 400, restartInterval: 16, bloomBitsPerKey: 4),
  ]

  @Test("what was written is read, forward and backward, and every get agrees with a search of the list")
  func model() throws {
    for seed in 0..<12 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let options = Self.layouts[Int(seed) % Self.layouts.count]
      let records = randomRecords(Int.random(in: 1...300, using: &random), &random)
      let reader = try openTable(try makeTable(records, options), cacheBytes: seed % 2 == 0 ? 1 << 20 : 0)
      #expect(try forward(reader) == records, "seed \(seed)")
      #expect(try backward(reader) == records.reversed(), "seed \(seed)")
      for _ in 0..<100 {
        let key = Key("key/\(Int.random(in: 0..<110, using: &random))")
        let version = Version(rawValue: UInt64.random(in: 0...1001, using: &random))
        let expected = records.first { $0.key == key && $0.version <= version }
        #expect(try reader.get(key, at: version) == expected, "seed \(seed) key \(key) at \(version)")
      }
    }
  }

  @Test("a cursor that seeks and steps at random goes where an index into the list goes")
  func walk() throws {
    for seed in 100..<108 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let records = randomRecords(200, &random)
      let reader = try openTable(try makeTable(records, Self.layouts[Int(seed) % Self.layouts.count]))
      let cursor = reader.cursor()
      try cursor.seekToFirst()
      var at: Int? = 0
      for step in 0..<400 {
        switch random.next() % 8 {
        case 0:
          let target = Record.tombstone(
            Key("key/\(Int.random(in: 0..<80, using: &random))"),
            Version(rawValue: UInt64.random(in: 0...1001, using: &random)))
          let found = records.firstIndex { !isBefore($0, target) }
          let back = random.next() % 2 == 0
          try target.key.bytes.withRawBytes {
            if back { try cursor.seek(before: $0, target.version) } else { try cursor.seek($0, target.version) }
          }
          at = back ? (found ?? records.count) - 1 : found
          if at == -1 { at = nil }
        case 1...4:
          try cursor.next()
          at = at.flatMap { $0 + 1 < records.count ? $0 + 1 : nil }
        default:
          try cursor.previous()
          at = at.flatMap { $0 > 0 ? $0 - 1 : nil }
        }
        #expect(cursor.isValid == (at != nil), "seed \(seed) step \(step)")
        guard let here = at else {
          try cursor.seekToLast()
          at = records.count - 1
          continue
        }
        #expect(cursor.view.record == records[here], "seed \(seed) step \(step)")
      }
    }
  }

  @Test("a value of the largest size, between small ones, has a block of its own")
  func largeValues() throws {
    let large = [UInt8](repeating: 7, count: Limits.valueBytes.rawValue)
    let records = [
      Record(key: Key("a"), version: Version(rawValue: 1), value: [1]),
      Record(key: Key("b"), version: Version(rawValue: 2), value: large),
      Record(key: Key([UInt8](repeating: 0x62, count: 4096)), version: Version(rawValue: 3), value: large),
      Record(key: Key("c"), version: Version(rawValue: 4), value: [2]),
    ]
    let reader = try openTable(try makeTable(records))
    #expect(reader.properties.dataBlocks == 4)
    #expect(try forward(reader) == records)
    #expect(try backward(reader) == records.reversed())
  }

  @Test("the empty key, the longest key and an empty table are read back")
  func edges() throws {
    let records = [
      Record(key: Key([]), version: .max, value: []),
      Record(key: Key([]), version: .zero, value: [1]),
      Record.tombstone(Key([UInt8](repeating: 255, count: 4096)), Version(rawValue: 9)),
    ]
    let reader = try openTable(try makeTable(records))
    #expect(try forward(reader) == records)
    #expect(try reader.get(Key([]), at: Version(rawValue: 5)) == records[1])
    let empty = try openTable(try makeTable([]))
    #expect(try forward(empty).isEmpty)
    #expect(try backward(empty).isEmpty)
    #expect(try empty.get(Key("a"), at: .max) == nil)
  }

  @Test("properties tell counts and bounds")
  func properties() throws {
    let records = [
      Record(key: Key("a"), version: Version(rawValue: 9), value: [1, 2]),
      Record.tombstone(Key("a"), Version(rawValue: 4)),
      Record(key: Key("bc"), version: Version(rawValue: 12), value: [3]),
    ]
    let properties = try openTable(try makeTable(records)).properties
    #expect(properties.records == 3 && properties.tombstones == 1 && properties.keys == 2)
    #expect(properties.dataBytes == 7 && properties.dataBlocks == 1)
    #expect(properties.minKey == Key("a") && properties.maxKey == Key("bc"))
    #expect(properties.minVersion == Version(rawValue: 4) && properties.maxVersion == Version(rawValue: 12))
  }

  @Test("records out of order, or twice the same, are refused")
  func order() throws {
    let record = Record(key: Key("b"), version: Version(rawValue: 5), value: [])
    for wrong in [
      Record(key: Key("a"), version: Version(rawValue: 9), value: []),
      Record(key: Key(""), version: Version(rawValue: 9), value: []),
      Record(key: Key("b"), version: Version(rawValue: 6), value: []), record,
    ] {
      let writer = try TableWriter(disk: SimulatedDisk(), path: "/t.sst", options: TableOptions())
      try writer.add(record)
      #expect(throws: TableError.unordered(path: "/t.sst")) { try writer.add(wrong) }
    }
  }

  @Test("a block that was read stays in the cache, and a scan without caching leaves it alone")
  func caching() throws {
    var random = SplitMix64(seed: 3)
    let records = randomRecords(300, &random)
    let disk = try makeTable(records, TableOptions(blockBytes: 200))
    let cache = BlockCache(byteBudget: 1 << 20)
    let reader = try TableReader(disk: disk, path: "/t.sst", cache: cache)
    let cursor = reader.cursor(caching: false)
    try cursor.seekToFirst()
    while cursor.isValid { try cursor.next() }
    #expect(cache.byteCount == 0)
    let record = records[100]
    #expect(try reader.get(record.key, at: record.version) == record)
    let held = cache.byteCount
    #expect(held > 0)
    disk.inject(DiskFault(times: nil) { $0.kind == .read })
    #expect(try reader.get(record.key, at: record.version) == record)
    #expect(cache.byteCount == held)
  }
}
