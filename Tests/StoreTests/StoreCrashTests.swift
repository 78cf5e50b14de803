import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite struct StoreCrashTests {
  /// Writes, flushes and compacts; notes in `acknowledged` how much of the log each install that returned has made
  /// durable.
  private func work(_ disk: SimulatedDisk, seed: UInt64, acknowledged: inout Int) throws -> Model {
    var random = SplitMix64(seed: seed)
    var model = Model()
    let store = try openStore(disk, .tiny(seed))
    for round in 0..<5 {
      if round == 2, let last = model.log.last?.version {
        let floor = Version(rawValue: last.rawValue - last.rawValue / 3)
        store.retain(Retention(floor: floor, pins: [Version(rawValue: last.rawValue / 4)]))
      }
      for _ in 0..<25 {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 30, &random)
        model.apply(record)
        store.apply(record)
      }
      if let job = store.freeze(state: model.state) {
        try store.install(job.run())
        acknowledged = model.log.count
      }
      try store.compactFully()
    }
    return model
  }

  @Test("power lost at any step of flush, compaction and manifest switch: what was acknowledged is there, nothing else")
  func everyStep() throws {
    for seed in 0..<2 as Range<UInt64> {
      let fresh = SimulatedDisk()
      _ = try createStore(fresh, .tiny(seed))
      let rehearsal = fresh.clone()
      let before = rehearsal.steps
      var whole = 0
      let log = try work(rehearsal, seed: seed, acknowledged: &whole).log
      #expect(whole == log.count)
      for step in 0..<rehearsal.steps - before {
        let disk = fresh.clone()
        disk.powerOff(afterSteps: step)
        var acknowledged = 0
        _ = try? work(disk, seed: seed, acknowledged: &acknowledged)
        disk.crash(seed: seed &* 1000 &+ UInt64(step))
        let place = "seed \(seed), power lost after step \(step)"
        let store: PartitionStore
        do { store = try openStore(disk, .tiny(seed)) } catch {
          Issue.record("\(place): \(error)")
          continue
        }
        let applied = Int(store.flushedState.appliedIndex.rawValue)
        #expect(applied == acknowledged || applied == acknowledged + 25, "\(place)")
        let model = Model(log.prefix(applied))
        #expect(store.flushedState == model.state, "\(place)")
        #expect(lives(try store.exported(), store.retention) == lives(model.all, store.retention), "\(place)")
        for version in (model.log.map(\.version) + store.retention.pins).filter(store.retention.holds) {
          let expected = model.live(from: nil, to: nil, at: version, reverse: false)
          #expect(try store.records(at: version) == expected, "\(place), at \(version)")
        }
        try goOn(store, disk, model, options: .tiny(seed), place)
      }
    }
  }

  /// The store works on after a crash, and leaves no files that it doesn't know.
  private func goOn(
    _ store: PartitionStore, _ disk: SimulatedDisk, _ start: Model, options: StoreOptions, _ place: String
  ) throws {
    var model = start
    model.apply(.tombstone(Key("after"), .max))
    for record in model.log.suffix(1) { store.apply(record) }
    try store.settle(model.state)
    let names = try disk.list(directory)
    #expect(names.count == store.tableCount + 2, "\(place): \(names)")
    disk.crash(seed: 1)
    let again = try openStore(disk, options)
    let kept = again.retention
    #expect(lives(try again.exported(), kept) == lives(model.all, kept), "\(place), opened twice")
  }

  @Test("power lost while a store is made: it is there or can be made")
  func creation() throws {
    let rehearsal = SimulatedDisk()
    _ = try createStore(rehearsal)
    for step in 0..<rehearsal.steps {
      for seed in 0..<4 as Range<UInt64> {
        let disk = SimulatedDisk()
        disk.powerOff(afterSteps: step)
        _ = try? createStore(disk)
        disk.crash(seed: seed)
        if disk.exists(directory + "/CURRENT") {
          _ = try openStore(disk)
        } else {
          _ = try createStore(disk)
        }
        disk.crash(seed: seed)
        #expect(try openStore(disk).flushedState == Model().state, "step \(step) seed \(seed)")
      }
    }
  }

  @Test("power lost while a snapshot replaces a store: the old one is there or the new one, whole")
  func snapshot() throws {
    var random = SplitMix64(seed: 5)
    var old = Model()
    var new = Model()
    for _ in 0..<60 {
      old.apply(randomRecord(after: old.log.last?.version ?? .zero, keys: 20, &random))
      new.apply(randomRecord(after: new.log.last?.version ?? .zero, keys: 50, &random))
    }
    new.apply(.tombstone(Key("new"), .max))
    let fresh = SimulatedDisk()
    let store = try createStore(fresh)
    for record in old.log { store.apply(record) }
    try store.settle(old.state)
    func install(_ disk: SimulatedDisk) throws {
      let writer = try SnapshotWriter(disk: disk, directory: directory, options: .tiny())
      for record in new.all { try writer.add(record) }
      try writer.finish(state: new.state)
    }
    let rehearsal = fresh.clone()
    try install(rehearsal)
    #expect(lives(try openStore(rehearsal).exported()) == lives(new.all))
    for step in 0..<rehearsal.steps - fresh.steps {
      for seed in 0..<3 as Range<UInt64> {
        let disk = fresh.clone()
        disk.powerOff(afterSteps: step)
        try? install(disk)
        disk.crash(seed: seed)
        let store = try openStore(disk)
        let expected = store.flushedState == new.state ? new : old
        #expect(store.flushedState == expected.state, "step \(step) seed \(seed)")
        #expect(lives(try store.exported()) == lives(expected.all), "step \(step) seed \(seed)")
        // And two snapshots in a row.
        try install(disk)
        #expect(lives(try openStore(disk).exported()) == lives(new.all), "step \(step) seed \(seed)")
      }
    }
  }

  @Test("an edit that a killed process left in the page cache is durable before the store that saw it relies on it")
  func killedThenPowerLost() throws {
    let fresh = SimulatedDisk()
    _ = try createStore(fresh, .tiny(1))
    let rehearsal = fresh.clone()
    var whole = 0
    let log = try work(rehearsal, seed: 1, acknowledged: &whole).log
    for step in 0..<rehearsal.steps - fresh.steps {
      let disk = fresh.clone()
      // Everything from here on fails, as for a process that is gone; the page cache stays.
      disk.inject(DiskFault(times: nil) { $0.step > fresh.steps + step })
      var acknowledged = 0
      _ = try? work(disk, seed: 1, acknowledged: &acknowledged)
      disk.clearFaults()
      let seen = try openStore(disk, .tiny(1)).flushedState
      disk.crash(seed: UInt64(step))
      let store = try openStore(disk, .tiny(1))
      #expect(store.flushedState == seen, "step \(step)")
      let model = Model(log.prefix(Int(seen.appliedIndex.rawValue)))
      #expect(lives(try store.exported(), store.retention) == lives(model.all, store.retention), "step \(step)")
    }
  }
}
