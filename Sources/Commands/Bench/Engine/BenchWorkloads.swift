import Bytes
import Store
import Table

/// The keys and values that other engines are measured with as well: of number i the sixteen hexadecimal digits of a hash,
/// and a hundred bytes, unless said otherwise, of further hashes.
struct BenchData {
  static let keyBytes = 16

  static func mix(_ number: UInt64) -> UInt64 { SplitMix64.mix(number &+ 0x9e37_79b9_7f4a_7c15) }

  private static let digits = Array("0123456789abcdef".utf8)

  static func key(_ number: UInt64, into key: inout [UInt8]) {
    let hash = mix(number)
    for at in 0..<keyBytes { key[at] = digits[Int(truncatingIfNeeded: hash >> UInt64(60 - 4 * at)) & 15] }
  }

  static func value(_ number: UInt64, into value: inout [UInt8]) {
    var word = number
    for start in stride(from: 0, to: value.count, by: 8) {
      word = mix(word)
      for at in start..<min(start + 8, value.count) {
        value[at] = UInt8(truncatingIfNeeded: word >> UInt64(8 * (at - start)))
      }
    }
  }
}

/// Writes, point reads and scans over keys of one version.
struct BenchWorkloads {
  private static let syncedWrites: UInt64 = 2000
  /// The most point reads of a kind.
  private static let reads: UInt64 = 1_000_000

  let store: BenchStore
  let keys: UInt64
  let valueBytes: Int

  func run(_ rows: BenchRows) throws(CommandError) {
    var version: UInt64 = 0
    func put(_ count: UInt64, sync: Bool) throws(CommandError) -> UInt64 {
      var key = [UInt8](repeating: 0, count: BenchData.keyBytes)
      var value = [UInt8](repeating: 0, count: valueBytes)
      for number in 0..<count {
        BenchData.key(number, into: &key)
        BenchData.value(number, into: &value)
        version += 1
        try store.put(key, value, version: Version(rawValue: version), sync: sync)
      }
      return count
    }
    try rows.time("fillsync") { () throws(CommandError) in try put(min(keys, Self.syncedWrites), sync: true) }
    try rows.time("fillrandom") { () throws(CommandError) in try put(keys, sync: false) }
    try rows.time("settle") { () throws(CommandError) in
      try store.settle()
      return 1
    }
    try read(rows)
  }

  /// Reads what `run` has written.
  func read(_ rows: BenchRows) throws(CommandError) {
    try rows.time("reopen") { () throws(CommandError) in
      try store.reopen()
      return 1
    }
    var found: UInt64 = 0
    let reader = BenchReader(store: store.store, valueBytes: valueBytes)
    let reads = min(keys, Self.reads)
    try rows.time("readrandom") { () throws(CommandError) in
      for number in 0..<reads where try reader.get(BenchData.mix(number) % keys, at: .max) { found += 1 }
      return reads
    }
    guard found == reads else { throw .mismatch("\(found) of \(reads) reads found their key") }
    try rows.time("readmissing") { () throws(CommandError) in
      for number in keys..<keys + reads where try reader.get(number, at: .max) { found += 1 }
      return reads
    }
    guard found == reads else { throw .mismatch("\(found - reads) keys were found that were never written") }
    try rows.time("seekrandom+10") { () throws(CommandError) in
      for number in 0..<reads / 10 { _ = try reader.scan(from: BenchData.mix(number) % keys, limit: 10, at: .max) }
      return reads / 10
    }
    try rows.time("readseq") { () throws(CommandError) in
      let count = try reader.scan(from: nil, limit: .max, at: .max)
      guard count == keys else { throw .mismatch("\(count) of \(keys) keys were scanned") }
      return count
    }
  }
}
