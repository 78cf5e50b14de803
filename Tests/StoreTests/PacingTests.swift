import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite struct TokenBucketTests {
  private static let second: UInt64 = 1_000_000_000

  @Test("a burst goes through at once, what is beyond it at the rate")
  func rate() {
    var bucket = TokenBucket(bytesPerSecond: 1000, burstBytes: 500)
    #expect(bucket.take(500, at: 0) == 0)
    #expect(bucket.take(100, at: 0) == Self.second / 10)
    #expect(bucket.take(100, at: Self.second / 10) == Self.second / 10)
  }

  @Test("what isn't taken gathers up to the burst and no further")
  func burst() {
    var bucket = TokenBucket(bytesPerSecond: 1000, burstBytes: 500)
    _ = bucket.take(500, at: 0)
    #expect(bucket.take(500, at: 100 * Self.second) == 0)
    #expect(bucket.take(1, at: 100 * Self.second) > 0)
  }

  @Test("over any time no more goes through than burst and rate allow, if those who take wait as told")
  func bound() {
    var random = SplitMix64(seed: 4)
    var bucket = TokenBucket(bytesPerSecond: 10_000, burstBytes: 3000)
    var now: UInt64 = 7
    var taken = 0
    while now < 100 * Self.second {
      let bytes = Int.random(in: 1...2000, using: &random)
      now += bucket.take(bytes, at: now)
      taken += bytes
    }
    #expect((990_000...1_005_000).contains(taken), "\(taken) bytes")
  }

  @Test("a clock that stands still or goes back gives nothing")
  func clock() {
    var bucket = TokenBucket(bytesPerSecond: 1000, burstBytes: 500)
    _ = bucket.take(500, at: Self.second)
    #expect(bucket.take(1, at: 0) > 0 && bucket.take(1, at: Self.second) > 0)
  }
}

@Suite struct PacerTests {
  private static let second: UInt64 = 1_000_000_000

  /// The bytes that go through in ten seconds.
  private func flow(debt: UInt64, pressure: WritePressure) -> Int {
    var pacer = CompactionPacer()
    var now: UInt64 = 0
    var bytes = 0
    while now < 10 * Self.second, bytes < 1 << 40 {
      let pause = pacer.pause(after: CompactionPacer.sliceBytes, debt: debt, pressure: pressure, at: now)
      // A slice itself takes a little.
      now += pause + 1000
      bytes += CompactionPacer.sliceBytes
    }
    return bytes
  }

  @Test("a small debt is paid slowly, a large one within ten seconds, and one that holds back writes at once")
  func rates() {
    let slow = flow(debt: 0, pressure: .none)
    #expect(slow < 100 << 20)
    let large = flow(debt: 1 << 30, pressure: .none)
    #expect((1 << 30..<(1 << 30) + (4 << 20)).contains(large), "\(large) bytes")
    #expect(flow(debt: 0, pressure: .slow(bytesPerSecond: 1)) > 100 * large / 10)
  }

  @Test("what went through while writes were held back is not made up for afterwards")
  func release() {
    var pacer = CompactionPacer()
    for _ in 0..<10_000 { _ = pacer.pause(after: 1 << 20, debt: 0, pressure: .stop, at: 0) }
    #expect(pacer.pause(after: 1, debt: 0, pressure: .none, at: 0) == 0)
  }
}

@Suite struct PressureTests {
  private let disk = SimulatedDisk()

  private func flush(_ store: PartitionStore, version: UInt64) throws {
    store.apply(Record(key: Key("k"), version: Version(rawValue: version), value: [1]))
    let job = try #require(store.freeze(state: StoreState(appliedIndex: LogIndex(rawValue: version))))
    try store.install(job.run())
  }

  private func rate(_ pressure: WritePressure) -> Int {
    switch pressure {
    case .none: .max
    case .slow(let rate): rate
    case .stop: 0
    }
  }

  @Test("writes are slowed down more and more as level 0 grows, then stopped, and go on once it is merged")
  func levelZero() throws {
    var options = StoreOptions.tiny()
    options.level0Files = 4
    let store = try createStore(disk, options)
    var rates: [Int] = []
    for version in 1...16 as ClosedRange<UInt64> {
      try flush(store, version: version)
      rates.append(rate(store.pressure))
    }
    #expect(rates.prefix(8).allSatisfy { $0 == .max } && rates[15] == 0 && store.isOverloaded)
    #expect(zip(rates[7...], rates[8...]).allSatisfy { $0 > $1 }, "\(rates)")
    try store.compactFully()
    #expect(store.pressure == .none)
  }

  @Test("writes are slowed down as a memtable fills behind one that is being flushed")
  func memtable() throws {
    let store = try createStore(disk)
    var version: UInt64 = 1
    func fill(until condition: () -> Bool) {
      while !condition() {
        let value = [UInt8](repeating: 1, count: 50)
        store.apply(Record(key: Key("\(version)"), version: Version(rawValue: version), value: value))
        version += 1
      }
    }
    fill { store.needsFlush }
    #expect(store.pressure == .none)
    let job = try #require(store.freeze(state: StoreState(appliedIndex: LogIndex(rawValue: 1))))
    #expect(store.pressure == .none)
    fill { store.pressure != .none }
    #expect(!store.isOverloaded)
    fill { store.isOverloaded }
    try store.install(job.run())
    #expect(store.pressure == .none)
  }

  @Test("the first memtable is flushed at its share of the size, those after it at the whole")
  func firstShare() throws {
    var options = StoreOptions.tiny()
    options.memtableBytes = 40_000
    options.firstMemtableShare = 0.25
    let store = try createStore(disk, options)
    var version: UInt64 = 1
    func bytesWhenFull() -> Int {
      while !store.needsFlush {
        let value = [UInt8](repeating: 1, count: 50)
        store.apply(Record(key: Key("\(version)"), version: Version(rawValue: version), value: value))
        version += 1
      }
      return store.memtableBytes
    }
    for share in [0.25, 1, 1] {
      let size = Int(share * Double(options.memtableBytes))
      #expect(size..<size + 1000 ~= bytesWhenFull())
      let job = try #require(store.freeze(state: StoreState(appliedIndex: LogIndex(rawValue: version))))
      try store.install(job.run())
    }
  }

  @Test("the worse of two pressures counts")
  func worse() {
    let slow = WritePressure.slow(bytesPerSecond: 5)
    for other in [.none, .slow(bytesPerSecond: 9), slow] as [WritePressure] {
      #expect(slow.worse(other) == slow && other.worse(slow) == slow)
    }
    #expect(slow.worse(.stop) == .stop && WritePressure.stop.worse(slow) == .stop)
  }

  @Test("a compaction goes on in slices, shows how far it is, and leads to what it leads to at once")
  func slices() throws {
    var random = SplitMix64(seed: 9)
    var model = Model()
    let store = try createStore(disk, .tiny(2))
    for _ in 0..<20 {
      for _ in 0..<30 {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 20, &random)
        model.apply(record)
        store.apply(record)
      }
      if let flush = store.freeze(state: model.state) { try store.install(flush.run()) }
      while let job = store.nextCompaction() {
        let total = store.progress.compaction?.totalBytes ?? 0
        #expect(total == 0 || store.progress.debtBytes > 0)
        var done: UInt64 = 0
        var steps = 0
        while true {
          if let result = job.step(bytes: 100) {
            try store.install(result)
            break
          }
          steps += 1
          let now = try #require(store.progress.compaction).doneBytes
          #expect(now >= done && now <= total)
          done = now
        }
        #expect(total < 1000 || steps > 1)
        #expect(store.progress.compaction == nil)
      }
    }
    let progress = store.progress
    #expect(progress.debtBytes == 0 && store.urgency == 0 && progress.compactedBytes > 0)
    #expect(progress.flushedBytes > 0 && progress.memtableBytes == store.memtableBytes)
    #expect(progress.current.map(\.files) == store.levels.map(\.files))
    #expect(lives(try store.exported()) == lives(model.all))
    disk.crash(seed: 3)
    #expect(lives(try openStore(disk).exported()) == lives(model.all))
  }

  @Test("the urgency grows with what is due")
  func urgency() throws {
    var options = StoreOptions.tiny()
    options.level0Files = 2
    let store = try createStore(disk, options)
    #expect(store.urgency == 0)
    var last = 0.0
    for version in 1...6 as ClosedRange<UInt64> {
      try flush(store, version: version)
      #expect(version < 2 ? store.urgency == 0 : store.urgency > last)
      last = store.urgency
    }
  }

  @Test("a slice that fails ends the compaction: what it wrote goes, and its inputs stay")
  func failure() throws {
    let store = try createStore(disk, .tiny(1))
    for version in 1...4 as ClosedRange<UInt64> { try flush(store, version: version) }
    let names = try disk.list(directory)
    let job = try #require(store.nextCompaction())
    #expect(job.step(bytes: 1) == nil)
    disk.inject(DiskFault(times: 1) { $0.kind == .write })
    let result = try #require(job.step(bytes: 1000))
    #expect(result.error != nil)
    #expect(throws: StoreError.self) { try store.install(result) }
    #expect(try disk.list(directory) == names)
    try store.compactFully()
    #expect(try store.history(Key("k")).count == 4)
  }
}
