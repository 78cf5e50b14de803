import Bytes
import Store

/// Reads over keys with many versions.
struct BenchVersions {
  private static let reads: UInt64 = 300_000

  let store: BenchStore
  let keys: UInt64
  let versions: UInt64
  let valueBytes: Int

  func run(_ rows: BenchRows) throws(CommandError) {
    try rows.time("write-versions") { () throws(CommandError) in
      var key = [UInt8](repeating: 0, count: BenchData.keyBytes)
      var value = [UInt8](repeating: 0, count: valueBytes)
      for version in 1...versions {
        for number in 0..<keys {
          BenchData.key(number, into: &key)
          BenchData.value(number * versions + version, into: &value)
          try store.put(key, value, version: Version(rawValue: version), sync: false)
        }
      }
      return keys * versions
    }
    try rows.time("settle", figures: writtenHistory) { () throws(CommandError) in
      try store.settle()
      return 1
    }
    let reader = BenchReader(store: store.store, valueBytes: valueBytes)
    try get("get-latest", reader, rows) { _ in versions }
    try get("get-old", reader, rows) { 1 + BenchData.mix($0 * 7) % versions }
    for (name, version) in [
      ("scan-latest", versions), ("scan-middle", versions / 2 + 1), ("scan-first", 1),
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
        try store.expire(before: Version(rawValue: versions / 2 + 1))
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
