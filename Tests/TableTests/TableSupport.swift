import Bytes
import Environment
import Simulation
import Testing

@testable import Table

/// The span that the tests give to a record.
func span(_ record: Record, _ tier: Tier) -> UInt64 {
  switch tier {
  case .current: min(record.version.rawValue, record.version.rawValue % 3 * 1000)
  case .history: 1 + min(.max - 1 - record.version.rawValue, record.version.rawValue % 7 * 100)
  }
}

/// Writes a table of records, which are in order, in one run on a disk of its own.
func makeTable(
  _ records: [Record], _ options: TableOptions = TableOptions(), tier: Tier = .current, path: String = "/t.sst"
) throws -> SimulatedDisk {
  let disk = SimulatedDisk()
  let writer = try TableWriter(disk: disk, path: path, options: options, tier: tier)
  for record in records { try add(record, to: writer, tier) }
  _ = try writer.finish()
  return disk
}

func add(_ record: Record, to writer: TableWriter, _ tier: Tier) throws {
  try record.withView { view in
    try writer.add(
      RecordView(key: view.key, value: view.value, version: view.version, kind: view.kind, span: span(record, tier)))
  }
}

func openTable(_ disk: SimulatedDisk, path: String = "/t.sst", cacheBytes: Int = 1 << 20) throws(TableError)
  -> TableReader
{
  try TableReader(disk: disk, path: path, cache: BlockCache(byteBudget: cacheBytes))
}

/// Random records in order, keys with long common prefixes: of history several versions of each, of the current tier one,
/// tombstones among them.
func randomRecords(_ count: Int, _ random: inout SplitMix64, tier: Tier = .history, valueBytes: Int = 40) -> [Record] {
  var places: [Key: Set<UInt64>] = [:]
  for _ in 0..<count {
    let key = Key("key/\(Int.random(in: 0..<max(1, count / 3), using: &random))".padded(random.next() % 3))
    places[key, default: []].insert(UInt64.random(in: 1...1000, using: &random))
  }
  return places.keys.sorted().flatMap { key in
    places[key, default: []].sorted(by: >).prefix(tier == .current ? 1 : .max).map { version in
      if tier == .current, random.next() % 5 == 0 { return Record.tombstone(key, Version(rawValue: version)) }
      let length = Int.random(in: 0...valueBytes, using: &random)
      let value = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      return Record(key: key, version: Version(rawValue: version), value: value)
    }
  }
}

extension String {
  fileprivate func padded(_ count: UInt64) -> String { self + String(repeating: "\0", count: Int(count)) }
}

extension TableReader {
  /// The newest record of a key that is not newer than a version.
  func get(_ key: Key, at version: Version) throws(TableError) -> Record? {
    var newest: Record?
    for run in runs {
      var found: Record?
      _ = try key.bytes.withRawBytes { (bytes) throws(TableError) in
        try run.get(bytes, hash: KeyHash.hash(bytes), at: version) { view in
          #expect(view.span == span(view.record, self.properties.tier))
          found = view.record
        }
      }
      if let found, found.version > newest?.version ?? .zero || newest == nil { newest = found }
    }
    return newest
  }
}

/// The records by a cursor, forward, run by run.
func forward(_ reader: TableReader) throws -> [Record] {
  var records: [Record] = []
  for run in reader.runs {
    let cursor = run.cursor()
    try cursor.seekToFirst()
    while cursor.isValid {
      let record = cursor.view.record
      #expect(cursor.view.span == span(record, reader.properties.tier))
      records.append(record)
      try cursor.next()
    }
  }
  return records
}

/// The records by a cursor, backward, the last run first.
func backward(_ reader: TableReader) throws -> [Record] {
  var records: [Record] = []
  for run in reader.runs.reversed() {
    let cursor = run.cursor()
    try cursor.seekToLast()
    while cursor.isValid {
      let record = cursor.view.record
      #expect(cursor.view.span == span(record, reader.properties.tier))
      records.append(record)
      try cursor.previous()
    }
  }
  return records
}

func isBefore(_ left: Record, _ right: Record) -> Bool {
  left.key != right.key ? left.key < right.key : left.version > right.version
}
