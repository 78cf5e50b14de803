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
      let tier: Tier = seed % 3 == 0 ? .current : .history
      let records = randomRecords(
        Int.random(in: 1...300, using: &random), &random, tier: tier, valueBytes: [40, 300, 900][Int(seed / 4)])
      let reader = try openTable(
        try makeTable(records, options, tier: tier), cacheBytes: seed % 2 == 0 ? 1 << 20 : 0)
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
      let records = randomRecords(200, &random, valueBytes: seed < 104 ? 40 : 900)
      let layout = Self.layouts[Int(seed) % Self.layouts.count]
      let reader = try openTable(try makeTable(records, layout, tier: .history))
      let cursor = try #require(reader.runs.first).cursor()
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
      Record(key: Key([]), version: Version(rawValue: .max - 1), value: []),
      Record(key: Key([]), version: .zero, value: [1]),
      Record(key: Key([UInt8](repeating: 255, count: 4096)), version: Version(rawValue: 9), value: []),
    ]
    let reader = try openTable(try makeTable(records, tier: .history))
    #expect(try forward(reader) == records)
    #expect(try reader.get(Key([]), at: Version(rawValue: 5)) == records[1])
    let deleted = [Record.tombstone(Key([]), .max), Record.tombstone(Key([255]), .zero)]
    #expect(try forward(try openTable(try makeTable(deleted))) == deleted)
    let empty = try openTable(try makeTable([]))
    #expect(try forward(empty).isEmpty)
    #expect(try backward(empty).isEmpty)
    #expect(try empty.get(Key("a"), at: .max) == nil)
  }

  @Test("properties tell counts and bounds, of current records since when they know, of history when it ended")
  func properties() throws {
    let current = [
      Record(key: Key("a"), version: Version(rawValue: 9001), value: [1, 2]),
      Record.tombstone(Key("bc"), Version(rawValue: 9000)),
    ]
    let properties = try openTable(try makeTable(current)).properties
    #expect(properties.tier == .current)
    #expect(properties.records == 2 && properties.tombstones == 1 && properties.keys == 2)
    #expect(properties.dataBytes == 5 && properties.dataBlocks == 1)
    #expect(properties.minKey == Key("a") && properties.maxKey == Key("bc"))
    #expect(properties.minVersion == Version(rawValue: 9000) && properties.maxVersion == Version(rawValue: 9001))
    #expect(properties.minEdge == Version(rawValue: 8001) && properties.maxEdge == Version(rawValue: 9000))
    let history = [
      Record(key: Key("a"), version: Version(rawValue: 9), value: [1, 2]),
      Record(key: Key("a"), version: Version(rawValue: 4), value: []),
    ]
    let other = try openTable(try makeTable(history, tier: .history)).properties
    #expect(other.tier == .history && other.keys == 1 && other.records == 2)
    #expect(other.minEdge == Version(rawValue: 210) && other.maxEdge == Version(rawValue: 405))
  }

  @Test("runs are read apart, each with its bounds, index and filter")
  func runs() throws {
    var random = SplitMix64(seed: 9)
    let parts = (0..<5).map { _ in randomRecords(60, &random) }
    let disk = SimulatedDisk()
    let options = TableOptions(blockBytes: 200)
    let writer = try TableWriter(disk: disk, path: "/t.sst", options: options, tier: .history)
    for part in parts {
      for record in part { try add(record, to: writer, .history) }
      try writer.endRun()
      try writer.endRun()
    }
    let (properties, bytes) = try writer.finish()
    let reader = try openTable(disk)
    #expect(reader.properties == properties && reader.fileBytes == bytes)
    #expect(reader.runs.count == 5)
    #expect(try forward(reader) == parts.flatMap { $0 })
    #expect(try backward(reader) == parts.flatMap { $0 }.reversed())
    for (run, part) in zip(reader.runs, parts) {
      #expect(run.properties.records == UInt64(part.count))
      #expect(run.properties.minKey == part.first?.key && run.properties.maxKey == part.last?.key)
      #expect(run.properties.minVersion == part.map(\.version).min())
      let ends = part.map { $0.version.rawValue + span($0, .history) }
      #expect(run.properties.maxEdge.rawValue == ends.max() && run.properties.minEdge.rawValue == ends.min())
    }
  }

  @Test("a probe of many runs shows what they show one by one, and ends where it is told to")
  func probe() throws {
    var random = SplitMix64(seed: 21)
    let disk = SimulatedDisk()
    let writer = try TableWriter(disk: disk, path: "/t.sst", options: TableOptions(), tier: .history)
    for _ in 0..<40 {
      for record in randomRecords(Int.random(in: 1...30, using: &random), &random) {
        try add(record, to: writer, .history)
      }
      try writer.endRun()
    }
    _ = try writer.finish()
    let reader = try openTable(disk)
    for number in 0..<12 {
      let key = Key("key/\(number)")
      let version = Version(rawValue: UInt64.random(in: 0...1001, using: &random))
      try key.bytes.withRawBytes { bytes in
        let hash = KeyHash.hash(bytes)
        var expected: [Record] = []
        for run in reader.runs { _ = try run.get(bytes, hash: hash, at: version) { expected.append($0.record) } }
        for most in 1...expected.count + 1 {
          var found: [Record] = []
          var probe = RunProbe(hash: hash)
          func look() throws -> Bool {
            try probe.look(for: bytes, at: version) {
              found.append($0.record)
              return found.count == most
            }
          }
          var isDone = false
          for run in reader.runs where !isDone {
            if probe.isFull { isDone = try look() }
            if !isDone { try probe.add(run) }
          }
          if !isDone { isDone = try look() }
          #expect(found == Array(expected.prefix(most)) && isDone == (most <= expected.count))
        }
      }
    }
  }

  @Test("the sum of digests does not depend on order or files, but on every byte")
  func digests() throws {
    func digest(_ records: [Record]) -> RecordDigest {
      var sum = RecordDigest.zero
      for record in records { record.withView { sum.add($0) } }
      return sum
    }
    var random = SplitMix64(seed: 12)
    let records = randomRecords(100, &random)
    let sum = try openTable(try makeTable(records, tier: .history)).properties.digest
    #expect(sum == digest(records) && sum == digest(records.reversed()))
    var parts = digest(Array(records[..<40]))
    parts.add(digest(Array(records[40...])))
    #expect(parts == sum)
    for (at, record) in records.enumerated() {
      var changed = records
      changed[at] = Record(key: record.key, version: record.version.advanced(by: 1), value: record.value)
      #expect(digest(changed) != sum)
      changed[at] = Record(key: Key(record.key.bytes + record.value), version: record.version, value: [])
      #expect(record.value.isEmpty || digest(changed) != sum)
      changed[at] = Record(key: record.key, version: record.version, value: record.value + [0])
      #expect(digest(changed) != sum)
      changed[at] = .tombstone(record.key, record.version)
      #expect(digest(changed) != sum)
    }
  }

  @Test("records out of order, or twice the same, are refused", arguments: [Tier.current, .history])
  func order(tier: Tier) throws {
    let record = Record(key: Key("b"), version: Version(rawValue: 5), value: [])
    var wrong = [
      Record(key: Key("a"), version: Version(rawValue: 9), value: []),
      Record(key: Key(""), version: Version(rawValue: 9), value: []),
      Record(key: Key("b"), version: Version(rawValue: 6), value: []), record,
    ]
    if tier == .current { wrong.append(Record(key: Key("b"), version: Version(rawValue: 4), value: [])) }
    for wrong in wrong {
      let writer = try TableWriter(disk: SimulatedDisk(), path: "/t.sst", options: TableOptions(), tier: tier)
      try add(record, to: writer, tier)
      #expect(throws: TableError.unordered(path: "/t.sst")) { try add(wrong, to: writer, tier) }
    }
  }

  @Test(
    "a table whose blocks were brought into the cache is read without the disk", arguments: [Tier.current, .history])
  func filled(tier: Tier) throws {
    var random = SplitMix64(seed: 4)
    let records = randomRecords(300, &random, tier: tier)
    let disk = try makeTable(records, TableOptions(blockBytes: 200), tier: tier)
    let cache = BlockCache(byteBudget: 1 << 20)
    let reader = try TableReader(disk: disk, path: "/t.sst", cache: cache)
    reader.fillCache()
    disk.inject(DiskFault(times: nil) { $0.kind == .read })
    for record in records { #expect(try reader.get(record.key, at: record.version) == record) }
    #expect(cache.room > 0)
    cache.forget([reader.id])
    #expect(cache.byteCount == 0)
  }

  @Test("a block that was read stays in the cache, and a scan without caching leaves it alone")
  func caching() throws {
    var random = SplitMix64(seed: 3)
    let records = randomRecords(300, &random)
    let disk = try makeTable(records, TableOptions(blockBytes: 200), tier: .history)
    let cache = BlockCache(byteBudget: 1 << 20)
    let reader = try TableReader(disk: disk, path: "/t.sst", cache: cache)
    let cursor = try #require(reader.runs.first).cursor(caching: false)
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
