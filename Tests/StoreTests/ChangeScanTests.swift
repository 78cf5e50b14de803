import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite("Changes above a version")
struct ChangeScanTests {
  /// The writes that changed something: not deletions of what was absent.
  private func changes(_ model: Model) -> [Record] {
    var alive: Set<Key> = []
    return model.log.filter { record in
      guard record.kind == .value else { return alive.remove(record.key) != nil }
      alive.insert(record.key)
      return true
    }
  }

  @Test(
    "are those of the log, in its order, part by part, whatever was flushed and compacted",
    arguments: 0..<40 as Range<UInt64>)
  func model(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var model = Model()
    let store = try createStore(SimulatedDisk(), .tiny(seed))
    for step in 0..<500 {
      let record = randomRecord(after: model.log.last?.version ?? .zero, keys: [5, 60][Int(seed % 2)], &random)
      // A partition deletes only what is there.
      if record.kind == .tombstone, model.get(record.key, at: .max)?.kind != .value { continue }
      model.apply(record)
      store.apply(record)
      if random.next() % 40 == 0 { try store.settle(model.state) }
      if random.next() % 90 == 0 {
        let floor = UInt64.random(in: store.retention.floor.rawValue...record.version.rawValue, using: &random)
        store.retain(Retention(floor: Version(rawValue: floor)))
      }
      guard step % 25 == 24 else { continue }
      // What was applied since is the log's to tell.
      let job = store.freeze(state: model.state)
      let isFlushed = random.next() % 2 == 0
      if isFlushed, let job { try store.install(job.run()) }
      try check(store, model, seed: seed, &random)
      if !isFlushed, let job { try store.install(job.run()) }
    }
  }

  private func check(_ store: PartitionStore, _ model: Model, seed: UInt64, _ random: inout SplitMix64) throws {
    let last = model.log.last?.version.rawValue ?? 0
    let floor = store.retention.floor.rawValue
    let after = Version(rawValue: UInt64.random(in: floor...max(floor, last), using: &random))
    let end = Version(rawValue: UInt64.random(in: after.rawValue...last + 3, using: &random))
    let lower = random.next() % 2 == 0 ? nil : Key("key/2")
    let upper = random.next() % 2 == 0 ? nil : Key("key/4")
    var found: [Record] = []
    var position = after
    repeat {
      let query = ChangeScan.Query(
        after: position, through: end, lower: lower, upper: upper, credit: Int(random.next() % 400) + 1)
      let scan = try store.changeScan(query) { _ in true }
      while try !scan.step(records: 1 + Int(random.next() % 20)) {}
      found += scan.changes
      guard scan.through > position else { break }
      position = scan.through
    } while position < min(end, Version(rawValue: last))
    let expected = changes(model).filter { record in
      record.version > after && record.version <= end && lower.map { record.key >= $0 } ?? true
        && upper.map { record.key < $0 } ?? true
    }
    #expect(found == expected, "seed \(seed): (\(after), \(end)] of \(last), floor \(floor)")
  }

  @Test("a version below the floor is refused: what changed since may be gone")
  func belowTheFloor() throws {
    let store = try createStore(SimulatedDisk())
    store.retain(Retention(floor: Version(rawValue: 10)))
    let query = { ChangeScan.Query(after: Version(rawValue: $0), through: .max, lower: nil, upper: nil, credit: 1) }
    #expect(throws: StoreError.notRetained(version: Version(rawValue: 9), floor: Version(rawValue: 10))) {
      _ = try store.changeScan(query(9)) { _ in true }
    }
    _ = try store.changeScan(query(10)) { _ in true }
  }
}
