import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite struct StoreThreadTests {
  @Test("jobs and exports run on other threads while the store is written to and read")
  func workers() async throws {
    var random = SplitMix64(seed: 21)
    var model = Model()
    let disk = SimulatedDisk()
    let store = try createStore(disk)
    func write(_ count: Int) throws {
      for _ in 0..<count {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 40, &random)
        model.apply(record)
        store.apply(record)
        #expect(try store.get(record.key, at: .max) == record)
      }
    }
    for _ in 0..<6 {
      try write(40)
      let flush = try #require(store.freeze(state: model.state))
      let all = model.all
      let export = store.exportCursor()
      let flushing = Task.detached { flush.run() }
      let exporting = Task.detached {
        var records: [Record] = []
        while let record = try export.next() { records.append(record) }
        return records
      }
      try write(20)
      #expect(try store.records(reverse: true) == model.live(from: nil, to: nil, at: .max, reverse: true))
      try store.install(await flushing.value)
      while let compaction = store.nextCompaction() {
        let compacting = Task.detached { compaction.run() }
        try write(4)
        try store.install(await compacting.value)
      }
      #expect(lives(try await exporting.value) == lives(all))
    }
    try store.settle(model.state)
    #expect(lives(try openStore(disk).exported()) == lives(model.all))
  }
}
