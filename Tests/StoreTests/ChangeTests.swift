import Bytes
import Simulation
import Table
import Testing

@testable import Store

/// What changed between two versions, held against all that was ever written.
@Suite struct ChangeTests {
  private struct Model {
    var writes: [Record] = []

    func changes(_ query: ChangeQuery) -> [Lifespan] {
      let chains = Dictionary(grouping: writes.filter { $0.version <= query.at }) { $0.key }
        .sorted { $0.key < $1.key }
      var found: [Lifespan] = []
      for (key, writes) in chains where query.lower.map({ key >= $0 }) ?? true && query.upper.map({ key < $0 }) ?? true
      {
        var to = Version.max
        for (place, write) in writes.reversed().enumerated() {
          defer { to = write.version }
          switch query.scope {
          case .lastChanges:
            if place == 0, write.version > query.since { found.append(Lifespan(write, to: .max)) }
          case .all, .allChanged:
            guard write.kind == .value, to > query.since else { continue }
            if query.scope == .allChanged, write.version <= query.since, to == .max { continue }
            found.append(Lifespan(write, to: to))
          }
        }
      }
      return found
    }
  }

  private func state(_ flushes: UInt64) -> StoreState {
    StoreState(
      appliedIndex: LogIndex(rawValue: flushes), appliedTerm: Term(rawValue: 1), membership: [], lastVersion: .zero,
      sessions: [])
  }

  @Test(
    "a walk shows what the model says, whatever was flushed, compacted or dropped, and however often it pauses",
    arguments: 1...12 as ClosedRange<UInt64>)
  func model(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let disk = SimulatedDisk()
    var options = StoreOptions()
    options.level0Files = 2
    let store = try PartitionStore.create(
      disk: disk, directory: "/store", options: options, cache: BlockCache(byteBudget: 1 << 20),
      state: state(0))
    var model = Model()
    var version: UInt64 = 10
    var flushes: UInt64 = 0
    var floor = Version(rawValue: 1)
    for step in 0..<400 {
      version += 1 + random.next() % 3
      let key = Key("k\(random.next() % 30)")
      let isDeletion = random.next() % 4 == 0
      // The leader writes no deletion where there is nothing to delete.
      let present = model.writes.last { $0.key == key }?.kind == .value
      guard !isDeletion || present else { continue }
      let record =
        isDeletion
        ? Record.tombstone(key, Version(rawValue: version))
        : Record(key: key, version: Version(rawValue: version), value: [UInt8(step & 255)])
      model.writes.append(record)
      store.apply(record)
      if random.next() % 12 == 0 {
        flushes += 1
        if let job = store.freeze(state: state(flushes)) { try store.install(job.run()) }
      }
      if random.next() % 20 == 0, let job = store.nextCompaction() { try store.install(job.run()) }
      if random.next() % 60 == 0 {
        floor = Version(rawValue: version - random.next() % min(40, version))
        store.retain(Retention(floor: floor))
        floor = store.retention.floor
      }
      guard random.next() % 10 == 0, version > floor.rawValue + 1 else { continue }
      let since = Version(rawValue: floor.rawValue + random.next() % (version - floor.rawValue))
      let at = Version(rawValue: since.rawValue + random.next() % (version - since.rawValue + 1))
      for scope in [ChangeQuery.Scope.lastChanges, .all, .allChanged] {
        var query = ChangeQuery(since: since, at: at, scope: scope)
        if random.next() % 2 == 0 { query.lower = Key("k\(random.next() % 30)") }
        if random.next() % 2 == 0 { query.upper = Key("k\(random.next() % 30)") }
        let expected = model.changes(query)
        let found = try walk(store, query, patience: 1 + Int(random.next() % 6))
        // A deletion of what was not there at `since` may be told or not.
        let told = found.filter { span in span.record.kind == .value || expected.contains(span) }
        let needed = expected.filter { span in
          span.record.kind == .value
            || model.writes.last { $0.key == span.record.key && $0.version <= since }?.kind == .value
        }
        #expect(told.filter { needed.contains($0) } == needed, "seed \(seed), \(scope) \(since)…\(at)")
        let values = found.filter { $0.record.kind == .value }
        #expect(values == expected.filter { $0.record.kind == .value }, "seed \(seed)")
      }
    }
  }

  private func walk(_ store: PartitionStore, _ query: ChangeQuery, patience: Int) throws -> [Lifespan] {
    var query = query
    var found: [Lifespan] = []
    while true {
      let cursor = try store.changes(query)
      var left = patience
      step: while true {
        switch try cursor.next(patience: &left) {
        case .found(let span): found.append(span)
        case .end: return found
        case .paused(let key, let below):
          (query.lower, query.below) = (key, below)
          break step
        }
      }
    }
  }
}
