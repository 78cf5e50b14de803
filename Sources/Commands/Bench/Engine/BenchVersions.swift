import Bytes
import Store

/// Reads over keys with many versions.
struct BenchVersions {
  private static let reads: UInt64 = 300_000

  let store: BenchStore
  let keys: UInt64
  let versions: UInt64
  let valueBytes: Int
  /// Whether writes go to keys at random, each with a version of its own, so that lives are of all lengths.
  let isRandom: Bool

  /// The version from which on all keys are there, and the last.
  private var span: ClosedRange<UInt64> { isRandom ? keys...keys * versions : 1...versions }
  private var middle: UInt64 { span.lowerBound + (span.upperBound - span.lowerBound + 1) / 2 }

  func run(_ rows: BenchRows) throws(CommandError) {
    try rows.time("write-versions") { () throws(CommandError) in
      var key = [UInt8](repeating: 0, count: BenchData.keyBytes)
      var value = [UInt8](repeating: 0, count: valueBytes)
      for write in 0..<keys * versions {
        let number = isRandom && write >= keys ? BenchData.mix(write) % keys : write % keys
        let version = isRandom ? write + 1 : write / keys + 1
        BenchData.key(number, into: &key)
        BenchData.value(number * versions + version, into: &value)
        try store.put(key, value, version: Version(rawValue: version), sync: false)
      }
      return keys * versions
    }
    try rows.time("settle", figures: writtenHistory) { () throws(CommandError) in
      try store.settle()
      return 1
    }
    let reader = BenchReader(store: store.store, valueBytes: valueBytes)
    try get("get-latest", reader, rows) { _ in span.upperBound }
    try get("get-old", reader, rows) {
      span.lowerBound + BenchData.mix($0 * 7) % (span.upperBound - span.lowerBound + 1)
    }
    for (name, version) in [
      ("scan-latest", span.upperBound), ("scan-middle", middle), ("scan-first", span.lowerBound),
    ] {
      try rows.time(name) { () throws(CommandError) in
        let count = try reader.scan(from: nil, limit: .max, at: Version(rawValue: version))
        guard count == keys else { throw .mismatch("\(count) of \(keys) keys were scanned") }
        return count
      }
    }
    try expire(rows)
  }

  /// How often history was written: once when it leaves the current tier, once more when it settles.
  private func writtenHistory() -> [BenchRows.Figure] {
    let progress = store.store.progress
    let kept = historyBytes
    return [
      BenchRows.Figure("history_bytes", kept),
      BenchRows.Figure(
        "history_write_amplification", ratio: Double(progress.historyWrittenBytes) / Double(max(1, kept))),
    ]
  }

  private var historyBytes: UInt64 { store.store.progress.history.reduce(0) { $0 + $1.bytes } }

  /// Half of the versions go: how much of what stays is written anew for that.
  private func expire(_ rows: BenchRows) throws(CommandError) {
    let before = (bytes: historyBytes, written: store.store.progress.compactedBytes)
    try rows.time(
      "expire-half",
      figures: {
        [
          BenchRows.Figure("dropped_bytes", before.bytes - min(before.bytes, historyBytes)),
          BenchRows.Figure("kept_bytes", historyBytes),
          BenchRows.Figure("rewritten_bytes", store.store.progress.compactedBytes - before.written),
        ]
      },
      { () throws(CommandError) in
        try store.expire(before: Version(rawValue: middle))
        return 1
      })
  }

  private func get(
    _ name: String, _ reader: BenchReader, _ rows: BenchRows, at version: (UInt64) -> UInt64
  ) throws(CommandError) {
    try rows.time(name) { () throws(CommandError) in
      var found: UInt64 = 0
      for number in 0..<Self.reads {
        let at = Version(rawValue: version(number))
        if try reader.get(BenchData.mix(number) % keys, at: at) { found += 1 }
      }
      guard found == Self.reads else { throw .mismatch("\(found) of \(Self.reads) reads found something") }
      return found
    }
  }
}
