import Bytes
import Simulation
import Testing

@testable import Store

@Suite struct HistoryCostTests {
  @Test("history is written at most twice, and when half of it expires next to nothing of the rest is written anew")
  func cost() throws {
    var options = StoreOptions.tiny()
    options.memtableBytes = 40_000
    options.historyBufferBytes = 40_000
    options.historyRunBytes = 500
    options.historyFanIn = 4
    options.settledRunBytes = 2000
    options.targetFileBytes = 20_000
    let store = try createStore(SimulatedDisk(), options)
    for version in 1...200 as ClosedRange<UInt64> {
      for key in 0..<40 {
        store.apply(
          Record(key: Key("key/\(key)"), version: Version(rawValue: version), value: [UInt8](repeating: 7, count: 60)))
      }
      let state = StoreState(appliedIndex: LogIndex(rawValue: version))
      if store.needsFlush, let job = store.freeze(state: state) { try store.install(job.run()) }
      try store.compactFully()
    }
    try store.settle(StoreState(appliedIndex: LogIndex(rawValue: 201)))
    func kept() -> UInt64 { store.progress.history.reduce(0) { $0 + $1.bytes } }
    let (whole, before) = (kept(), store.progress)
    #expect(Double(before.historyWrittenBytes) <= 2.1 * Double(whole), "\(before.historyWrittenBytes) for \(whole)")
    store.retain(Retention(floor: Version(rawValue: 101)))
    try store.compactFully()
    let rewritten = store.progress.compactedBytes - before.compactedBytes
    #expect(kept() < whole * 2 / 3 && kept() > whole / 3, "\(kept()) of \(whole) stay")
    #expect(rewritten * 100 <= kept(), "\(rewritten) bytes written anew")
  }
}
