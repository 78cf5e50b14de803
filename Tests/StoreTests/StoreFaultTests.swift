import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite struct StoreFaultTests {
  private let disk = SimulatedDisk()
  private var model = Model()

  /// A store with unflushed records.
  private mutating func filled(_ count: Int = 40) throws -> PartitionStore {
    let store = try createStore(disk)
    fill(store, count)
    return store
  }

  private mutating func fill(_ store: PartitionStore, _ count: Int) {
    var random = SplitMix64(seed: UInt64(model.log.count))
    for _ in 0..<count {
      let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 20, &random)
      model.apply(record)
      store.apply(record)
    }
  }

  private func failSync(of suffix: String, times: Int?, code: Int32 = DiskFault.inputOutput) {
    disk.inject(DiskFault(code: code, times: times) { $0.kind == .sync && $0.path.hasSuffix(suffix) })
  }

  @Test("a table whose sync failed is thrown away and written once more")
  mutating func oneFailedSync() throws {
    let store = try filled()
    failSync(of: ".sst", times: 1)
    try store.settle(model.state)
    #expect(lives(try store.exported()) == lives(model.all))
    disk.crash(seed: 1)
    #expect(lives(try openStore(disk).exported()) == lives(model.all))
    #expect(try disk.list(directory).filter { $0.hasSuffix(".sst") }.count == store.tableCount)
  }

  @Test("a table whose sync failed twice stops the node; nothing that it would have held counts as flushed")
  mutating func twoFailedSyncs() throws {
    let store = try filled()
    failSync(of: ".sst", times: 2)
    let job = try #require(store.freeze(state: model.state))
    let error = #expect(throws: StoreError.self) { try store.install(job.run()) }
    guard case .fatal = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(store.flushedState == Model().state)
    disk.crash(seed: 2)
    #expect(try openStore(disk).exported().isEmpty)
  }

  @Test("after a failed sync of the manifest nothing is written any more, even if the next sync would succeed")
  mutating func failedManifestSync() throws {
    let store = try filled()
    disk.inject(DiskFault(times: 1) { $0.kind == .sync && $0.path.contains("manifest") })
    for _ in 0..<2 {
      let job = try #require(store.freeze(state: model.state))
      let error = #expect(throws: StoreError.self) { try store.install(job.run()) }
      guard case .fatal = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    #expect(store.flushedState == Model().state)
    // A process that starts anew sees the edit in the page cache, and the table that it names must be there.
    #expect(lives(try openStore(disk.clone()).exported()) == lives(model.all))
    disk.crash(seed: 3)
    #expect(try openStore(disk).exported().isEmpty)
  }

  @Test("a store whose process was killed while a table took the last room of the disk opens all the same")
  mutating func unfinishedTable() throws {
    let store = try filled()
    try store.settle(model.state)
    // The seal of the last edit was not synced and is lost: opening writes a manifest.
    disk.crash(seed: 4)
    try disk.open("\(directory)/000099.sst", .create).write([UInt8](repeating: 1, count: 100_000), at: 0)
    disk.setCapacity(1 << 20)
    disk.setCapacity((1 << 20) - Int(try disk.freeBytes(directory)))
    #expect(lives(try openStore(disk).exported()) == lives(model.all))
    #expect(!disk.exists("\(directory)/000099.sst"))
  }

  @Test("a full disk fails the flush, loses nothing, and the flush succeeds once there is room", arguments: 0..<12)
  mutating func fullDisk(pages: Int) throws {
    let store = try filled(120)
    disk.setCapacity(8192 + pages * 4096)
    var failures = 0
    if let job = store.freeze(state: model.state) {
      do throws(StoreError) { try store.install(job.run()) } catch {
        guard case .io(let cause) = error, cause.isDiskFull else {
          Issue.record("\(error)")
          return
        }
        failures += 1
        #expect(store.needsFlush)
      }
    }
    #expect(failures == 1 || pages > 2)
    let before = model
    fill(store, 30)
    #expect(try store.records() == model.live(from: nil, to: nil, at: .max, reverse: false))
    do throws(StoreError) { try store.compactFully() } catch {
      guard case .io(let cause) = error, cause.isDiskFull else {
        Issue.record("\(error)")
        return
      }
    }
    disk.setCapacity(nil)
    // The job for what was frozen first comes again; then the rest.
    try store.settle(before.state)
    try store.settle(model.state)
    #expect(lives(try store.exported()) == lives(model.all))
    disk.crash(seed: UInt64(pages))
    #expect(lives(try openStore(disk).exported()) == lives(model.all))
  }

  @Test("any one failed call of a flush or compaction loses nothing, and what failed can be tried again or is fatal")
  mutating func anyFailure() throws {
    let store = try filled(100)
    try store.settle(model.state)
    let start = disk.clone()
    for step in 1..<200 {
      let disk = start.clone()
      let store = try openStore(disk)
      disk.inject(DiskFault(atStep: disk.steps + step))
      var copy = model
      let added = Record(key: Key("new"), version: .max, value: [UInt8](repeating: 1, count: 3000))
      copy.apply(added)
      store.apply(added)
      var isFatal = false
      do throws(StoreError) { try store.settle(copy.state) } catch {
        if case .fatal = error { isFatal = true }
        #expect(try store.records() == copy.live(from: nil, to: nil, at: .max, reverse: false), "step \(step)")
      }
      disk.clearFaults()
      if isFatal {
        disk.crash(seed: UInt64(step))
        #expect([lives(copy.all), lives(model.all)].contains(lives(try openStore(disk).exported())), "step \(step)")
        continue
      }
      try store.settle(copy.state)
      #expect(lives(try store.exported()) == lives(copy.all), "step \(step)")
      #expect(lives(try openStore(disk).exported()) == lives(copy.all), "step \(step)")
    }
  }

  @Test("an unreadable block fails the read that needs it, and no other")
  mutating func unreadableBlock() throws {
    let store = try filled(60)
    try store.settle(model.state)
    let name = try #require(try disk.list(directory).first { $0.hasSuffix(".sst") })
    disk.flip(directory + "/" + name, at: 40)
    let reopened = try PartitionStore.open(
      disk: disk, directory: directory, options: .tiny(), cache: .init(byteBudget: 0))
    var failures = 0
    for key in Set(model.log.map(\.key)) {
      do throws(StoreError) {
        #expect(try reopened.get(key, at: .max)?.ifValue == model.get(key, at: .max)?.ifValue)
      } catch {
        guard case .corrupt(let path, 0, _, _) = error, path.hasSuffix(name) else {
          Issue.record("\(error)")
          return
        }
        failures += 1
      }
    }
    #expect(failures > 0)
  }
}
