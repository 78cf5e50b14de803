import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite("Stores that share tables")
struct LinkTests {
  private static func isUpper(_ key: UnsafeRawBufferPointer) -> Bool { (key.last ?? 0) % 2 == 1 }
  private static func isUpper(_ key: Key) -> Bool { (key.bytes.last ?? 0) % 2 == 1 }

  @Test("each shows its own keys, now and at every version, before and after the tables are parted")
  func halves() throws {
    for seed in 0..<30 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let disk = SimulatedDisk()
      let lower = try createStore(disk, .tiny(seed))
      var model = Model()
      for _ in 0..<300 {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 30, &random)
        model.apply(record)
        lower.apply(record)
        if Int.random(in: 0..<40, using: &random) == 0 { try lower.settle(model.state) }
      }
      try lower.settle(model.state)
      let job = try #require(lower.linkJob(to: "/other", state: model.state))
      try job.run()
      let upper = try PartitionStore.open(disk: disk, directory: "/other", options: .tiny(seed), cache: cache)
      lower.keyFilter = { !LinkTests.isUpper($0) }
      upper.keyFilter = { LinkTests.isUpper($0) }

      for round in 0..<2 {
        for _ in 0..<20 {
          let version = model.log.randomElement(using: &random)?.version ?? .zero
          let reverse = Bool.random(using: &random)
          let all = model.live(from: nil, to: nil, at: version, reverse: reverse)
          let low = try lower.records(at: version, reverse: reverse)
          let high = try upper.records(at: version, reverse: reverse)
          #expect(low == all.filter { !LinkTests.isUpper($0.key) }, "seed \(seed)")
          #expect(high == all.filter { LinkTests.isUpper($0.key) }, "seed \(seed)")
        }
        #expect(
          lives(try lower.exported() + upper.exported()).count == lives(model.all).count, "seed \(seed), round \(round)"
        )
        guard round == 0 else { break }
        // What belongs to the other goes, and the files of one are not missed by the other.
        for store in [lower, upper] {
          if let job = store.fullCompaction() { try store.install(job.run()) }
          try store.compactFully()
        }
      }
      let low = lower.files.levels.joined().reduce(0) { $0 + $1.entry.records }
      #expect(low <= UInt64(model.all.count { !LinkTests.isUpper($0.key) }), "seed \(seed)")
    }
  }

  @Test("tables are parted by compactions that nothing else asks for, also those that were being written at the cut")
  func parting() throws {
    for seed in 0..<60 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let disk = SimulatedDisk()
      let store = try createStore(disk, .tiny(seed))
      var model = Model()
      func write(_ count: Int) {
        for _ in 0..<count {
          let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 30, &random)
          model.apply(record)
          store.apply(record)
        }
      }
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        write(60)
        if let job = store.freeze(state: model.state) { try store.install(job.run()) }
        if Bool.random(using: &random) { try store.compactFully() }
      }
      // At the cut there may be records in memory, in a memtable on its way to a table, and in a compaction.
      write(Int.random(in: 0...30, using: &random))
      let flush = Bool.random(using: &random) ? store.freeze(state: model.state) : nil
      let compaction = store.nextCompaction()
      write(Int.random(in: 0...30, using: &random))
      store.keyFilter = { !LinkTests.isUpper($0) }
      #expect(store.holdsOthersKeys)
      let (flushed, compacted) = (flush?.run(), compaction?.run())
      if let flushed { try store.install(flushed) }
      if let compacted { try store.install(compacted) }
      if let job = store.freeze(state: model.state) { try store.install(job.run()) }
      try store.compactFully()

      #expect(!store.holdsOthersKeys && store.urgency == 0, "seed \(seed)")
      store.keyFilter = nil
      #expect(!store.holdsOthersKeys)
      for record in try store.exported() { #expect(!LinkTests.isUpper(record.key), "seed \(seed)") }
      for version in [.max] + model.log.map(\.version) {
        let own = model.live(from: nil, to: nil, at: version, reverse: false).filter { !LinkTests.isUpper($0.key) }
        #expect(try store.records(at: version) == own, "seed \(seed), version \(version)")
      }
    }
  }

  @Test("tables that can't be read stay as they are, and the filter stays needed")
  func unreadable() throws {
    let disk = SimulatedDisk()
    let writer = try createStore(disk)
    var model = Model()
    var random = SplitMix64(seed: 1)
    for _ in 0..<40 {
      let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 20, &random)
      model.apply(record)
      writer.apply(record)
    }
    try writer.settle(model.state)
    let table = try #require(writer.files.all.first?.reader.path)
    disk.flip(table, at: 20)
    let store = try openStore(disk)
    store.keyFilter = { !LinkTests.isUpper($0) }
    while let job = store.nextCompaction() { try? store.install(job.run()) }
    #expect(store.damagedPaths == [table] && store.holdsOthersKeys && store.urgency == 0)
  }

  @Test("an attempt that a crash interrupted is made good by the next")
  func crashes() throws {
    for seed in 0..<60 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let disk = SimulatedDisk()
      let store = try createStore(disk)
      var model = Model()
      for _ in 0..<120 {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 20, &random)
        model.apply(record)
        store.apply(record)
      }
      try store.settle(model.state)
      disk.powerOff(afterSteps: Int.random(in: 0...12, using: &random))
      _ = try? store.linkJob(to: "/other", state: model.state)?.run()
      disk.crash(seed: seed)
      let again = try openStore(disk)
      #expect(try again.records() == model.live(from: nil, to: nil, at: .max, reverse: false), "seed \(seed)")
      try #require(again.linkJob(to: "/other", state: model.state)).run()
      let other = try PartitionStore.open(disk: disk, directory: "/other", options: .tiny(), cache: cache)
      #expect(try other.records() == again.records(), "seed \(seed)")
      try again.destroy()
      #expect(try other.records() == model.live(from: nil, to: nil, at: .max, reverse: false), "seed \(seed)")
    }
  }
}
