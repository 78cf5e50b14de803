import Bytes
import Simulation
import Table
import Testing

@testable import Store

@Suite struct CacheTests {
  /// Writes versions of forty keys.
  private func write(_ versions: ClosedRange<UInt64>, to store: PartitionStore) {
    for version in versions {
      for key in 0..<40 {
        store.apply(
          Record(key: Key("key/\(key)"), version: Version(rawValue: version), value: [UInt8](repeating: 7, count: 60)))
      }
    }
  }

  private func state(_ index: UInt64) -> StoreState { StoreState(appliedIndex: LogIndex(rawValue: index)) }

  @Test("what was flushed or compacted is in the cache as long as that has room")
  func warm() throws {
    let disk = SimulatedDisk()
    let cache = BlockCache(byteBudget: 1 << 20)
    let store = try PartitionStore.create(
      disk: disk, directory: directory, options: .tiny(), cache: cache, state: StoreState())
    for round in 1...4 as ClosedRange<UInt64> {
      write(round * 10...round * 10 + 9, to: store)
      try store.settle(state(round))
      disk.inject(DiskFault(times: nil) { $0.kind == .read })
      for key in 0..<40 {
        #expect(try store.get(Key("key/\(key)"), at: .max)?.version == Version(rawValue: round * 10 + 9))
      }
      disk.clearFaults()
    }
  }

  @Test("blocks of tables that were replaced leave the cache")
  func forgotten() throws {
    let cache = BlockCache(byteBudget: 1 << 20)
    let store = try PartitionStore.create(
      disk: SimulatedDisk(), directory: directory, options: .tiny(), cache: cache, state: StoreState())
    var peak = 0
    for round in 1...30 as ClosedRange<UInt64> {
      write(round...round, to: store)
      store.retain(Retention(floor: Version(rawValue: round)))
      try store.settle(state(round))
      if round == 10 { peak = cache.byteCount }
    }
    #expect(peak > 0 && cache.byteCount <= 2 * peak, "\(cache.byteCount) bytes, \(peak) at first")
  }
}
