import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite("The kept versions of a key")
struct KeptHistoryTests {
  /// What must be shown of a key's writes, the newest first: values that a readable version shows, and the deletions
  /// of values above the floor.
  private func kept(_ writes: [Record], _ retention: Retention, before: Version) -> [Record] {
    var shown: [Record] = []
    var end: Version?
    for (index, write) in writes.enumerated() {
      if write.kind == .value, end.map({ retention.holds(from: write.version, to: $0) }) ?? true {
        // Of deletions in a row the first is the one that did something.
        if let end, index > 0, writes[index - 1].kind == .tombstone, end > retention.floor {
          shown.append(writes[index - 1])
        }
        shown.append(write)
      }
      end = write.version
    }
    return shown.filter { $0.version < before }
  }

  private func read(_ store: PartitionStore, _ key: Key, before: Version, limit: Int = .max) throws -> [Record] {
    var records: [Record] = []
    try store.history(of: key, before: before) { view in
      guard records.count < limit else { return false }
      records.append(view.record)
      return true
    }
    return records
  }

  /// A higher floor, and what some pins hold below it: a pin is taken only at or above the floor.
  private func raised(_ retention: Retention, below last: Version, _ random: inout SplitMix64) -> Retention {
    let floor = UInt64.random(in: retention.floor.rawValue...last.rawValue, using: &random)
    let pin = UInt64.random(in: retention.floor.rawValue...floor, using: &random)
    return Retention(floor: Version(rawValue: floor), pins: retention.pins.suffix(2) + [Version(rawValue: pin)])
  }

  @Test(
    "are the same however the store was flushed and compacted, whole and part by part",
    arguments: 0..<40 as Range<UInt64>)
  func model(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var model = Model()
    let store = try createStore(SimulatedDisk(), .tiny(seed))
    for step in 0..<400 {
      let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 6, &random)
      model.apply(record)
      store.apply(record)
      if random.next() % 30 == 0 { try store.settle(model.state) }
      if random.next() % 60 == 0 { store.retain(raised(store.retention, below: record.version, &random)) }
      guard step % 7 == 0 else { continue }
      let key = Key("key/\(Int.random(in: 0..<6, using: &random))")
      let before =
        random.next() % 2 == 0 ? Version.max : Version(rawValue: random.next() % (record.version.rawValue + 2))
      let expected = kept(model.history(key), store.retention, before: before)
      #expect(try read(store, key, before: before) == expected, "seed \(seed) step \(step) before \(before)")
      var parts: [Record] = []
      var next = before
      while case let part = try read(store, key, before: next, limit: 2), let last = part.last {
        parts += part
        next = last.version
      }
      #expect(parts == expected, "seed \(seed) step \(step) in parts before \(before)")
    }
  }
}
