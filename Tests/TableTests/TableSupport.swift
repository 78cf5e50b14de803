import Bytes
import Environment
import Simulation

@testable import Table

/// Writes a table of records, which are in order, on a disk of its own.
func makeTable(
  _ records: [Record], _ options: TableOptions = TableOptions(), path: String = "/t.sst"
) throws -> SimulatedDisk {
  let disk = SimulatedDisk()
  let writer = try TableWriter(disk: disk, path: path, options: options)
  for record in records { try writer.add(record) }
  _ = try writer.finish()
  return disk
}

func openTable(_ disk: SimulatedDisk, path: String = "/t.sst", cacheBytes: Int = 1 << 20) throws(TableError)
  -> TableReader
{
  try TableReader(disk: disk, path: path, cache: BlockCache(byteBudget: cacheBytes))
}

/// Random records in order: keys with long common prefixes, several versions of each, tombstones among them.
func randomRecords(_ count: Int, _ random: inout SplitMix64, valueBytes: Int = 40) -> [Record] {
  var places: [Key: Set<UInt64>] = [:]
  for _ in 0..<count {
    let key = Key("key/\(Int.random(in: 0..<max(1, count / 3), using: &random))".padded(random.next() % 3))
    places[key, default: []].insert(UInt64.random(in: 1...1000, using: &random))
  }
  return places.keys.sorted().flatMap { key in
    places[key, default: []].sorted(by: >).map { version in
      if random.next() % 5 == 0 { return Record.tombstone(key, Version(rawValue: version)) }
      let length = Int.random(in: 0...valueBytes, using: &random)
      let value = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      return Record(key: key, version: Version(rawValue: version), value: value)
    }
  }
}

extension String {
  fileprivate func padded(_ count: UInt64) -> String { self + String(repeating: "\0", count: Int(count)) }
}

/// The records by a cursor, forward.
func forward(_ reader: TableReader) throws -> [Record] {
  let cursor = reader.cursor()
  var records: [Record] = []
  try cursor.seekToFirst()
  while cursor.isValid {
    records.append(cursor.view.record)
    try cursor.next()
  }
  return records
}

/// The records by a cursor, backward.
func backward(_ reader: TableReader) throws -> [Record] {
  let cursor = reader.cursor()
  var records: [Record] = []
  try cursor.seekToLast()
  while cursor.isValid {
    records.append(cursor.view.record)
    try cursor.previous()
  }
  return records
}

func isBefore(_ left: Record, _ right: Record) -> Bool {
  left.key != right.key ? left.key < right.key : left.version > right.version
}
