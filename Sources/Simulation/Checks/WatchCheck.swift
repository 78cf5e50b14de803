import Bytes

/// Holds what watchers were told against what the nodes applied: every change, once, in the order of the versions.
struct WatchCheck {
  /// Fails the record where a span differs; gives the number of changes compared.
  static func run(_ spans: [WatchedSpan], _ record: RunRecord) -> Int {
    let applied = record.writes.flatMap { key, writes in
      writes.map { write in
        Record(
          key: Key(key), version: write.version, kind: write.value == nil ? .tombstone : .value,
          value: write.value ?? [])
      }
    }.sorted { ($0.version, $0.key) < ($1.version, $1.key) }
    var count = 0
    for span in spans {
      let expected = applied.filter { $0.version > span.after && $0.version <= span.through }
      count += expected.count
      guard expected != span.changes else { continue }
      let place = zip(expected, span.changes).enumerated().first { $0.element.0 != $0.element.1 }?.offset
      let at = place ?? min(expected.count, span.changes.count)
      record.fail(
        "a watch of (\(span.after), \(span.through)] differs at change \(at) of \(expected.count): expected \(words(expected, at)), told \(words(span.changes, at))"
      )
    }
    return count
  }

  private static func words(_ changes: [Record], _ place: Int) -> String {
    guard place < changes.count else { return "no more" }
    let change = changes[place]
    return "\(change.kind) of \(String(decoding: change.key.bytes, as: UTF8.self)) at \(change.version)"
  }
}
