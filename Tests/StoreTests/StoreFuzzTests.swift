import Bytes
import Environment
import Simulation
import Testing

@testable import Store
@testable import Table

@Suite struct StoreFuzzTests {
  /// A closed store with tables of both tiers.
  private func filled(_ seed: UInt64) throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var random = SplitMix64(seed: seed)
    var model = Model()
    let store = try createStore(disk, .tiny(seed))
    for _ in 0..<3 {
      for _ in 0..<60 {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 6, &random)
        model.apply(record)
        store.apply(record)
      }
      try store.settle(model.state)
    }
    #expect(store.files.allHistory.count > 0)
    return disk
  }

  @Test(
    "tables with random changes under right checksums: errors or other answers, but no crash and no end of reading",
    arguments: [0, 1, 64, 76] as [UInt64])
  func tables(seed: UInt64) throws {
    let whole = try filled(seed)
    let names = try whole.list(directory).filter { $0.hasSuffix(".sst") }
    var random = SplitMix64(seed: seed + 100)
    for _ in 0..<60 {
      let disk = whole.clone()
      let name = try #require(names.randomElement(using: &random))
      let path = directory + "/" + name
      let original = try disk.contents(of: path, limit: 1 << 20)
      var bytes = original
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let at = Int.random(in: 0..<bytes.count - TableFormat.footerBytes, using: &random)
        bytes[at] = UInt8(truncatingIfNeeded: random.next())
      }
      try disk.open(path, .readWrite).write(Self.repaired(bytes, like: original), at: 0)
      guard let store = try? openStore(disk, .tiny(seed)) else { continue }
      for version in stride(from: 1, through: 400, by: 40) as StrideThrough<UInt64> {
        for reverse in [false, true] {
          guard let cursor = try? store.cursor(at: Version(rawValue: version), reverse: reverse) else { continue }
          var steps = 0
          while steps < 10_000, (try? cursor.nextView()) != nil { steps += 1 }
          #expect(steps < 10_000, "seed \(seed)")
        }
        for key in 0..<6 { _ = try? store.get(Key("key/\(key)"), at: Version(rawValue: version)) }
      }
      for key in 0..<6 { _ = try? store.history(Key("key/\(key)")) }
      if let job = store.fullCompaction() { try? store.install(job.run()) }
      var jobs = 0
      while jobs < 100, let job = store.nextCompaction() {
        try? store.install(job.run())
        jobs += 1
      }
      #expect(jobs < 100, "seed \(seed): compactions have no end")
    }
  }

  /// The bytes with the checksums of blocks that fit them, blocks taken to be where those of `whole` are.
  private static func repaired(_ bytes: [UInt8], like whole: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var at = 0
    while at < whole.count - TableFormat.footerBytes {
      let length = Int(whole[at + 4]) | Int(whole[at + 5]) << 8 | Int(whole[at + 6]) << 16
      let end = at + TableFormat.blockHeaderBytes + length
      let checksum = bytes.withRawBytes {
        Block.checksum(UnsafeRawBufferPointer(rebasing: $0[at..<end]), at: UInt64(at))
      }
      for byte in 0..<4 { bytes[at + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte))) }
      at = end
    }
    return bytes
  }
}
