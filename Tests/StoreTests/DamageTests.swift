import Bytes
import Environment
import Simulation
import Testing

@testable import Store
@testable import Table

/// What a compaction does with inputs that aren't what they were.
@Suite struct DamageTests {
  private let disk = SimulatedDisk()

  private func filled() throws -> (PartitionStore, Model) {
    var options = StoreOptions.tiny(2)
    options.level0Files = 3
    var random = SplitMix64(seed: 3)
    var model = Model()
    let store = try createStore(disk, options)
    for _ in 0..<2 {
      for _ in 0..<40 {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 20, &random)
        model.apply(record)
        store.apply(record)
      }
      let job = try #require(store.freeze(state: model.state))
      try store.install(job.run())
    }
    return (store, model)
  }

  private func open() throws -> PartitionStore {
    var options = StoreOptions.tiny(2)
    options.level0Files = 2
    return try PartitionStore.open(
      disk: disk, directory: directory, options: options, cache: BlockCache(byteBudget: 0))
  }

  /// Changes the digest in a table's properties, under a right checksum.
  private func forgeDigest(_ path: String) throws {
    let file = try disk.open(path, .readWrite)
    let size = try file.size()
    let footer = try TableReader.readFooter(file, fileBytes: size)
    var block = try file.read(at: footer.properties.offset, count: Int(footer.properties.length))
    let field = try #require(block.indices.first { block[$0] == 11 && block[$0 + 1] == 16 && $0 > 12 })
    block[field + 2] ^= 1
    let checksum = block.withRawBytes { Block.checksum($0, at: footer.properties.offset) }
    for at in 0..<4 { block[at] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(at))) }
    try file.write(block, at: footer.properties.offset)
  }

  @Test("outputs that don't add up to their inputs are thrown away; the inputs are kept, read, and not tried again")
  func balance() throws {
    let (store, model) = try filled()
    let path = try #require(store.files.levels[0].first).reader.path
    try forgeDigest(path)
    let names = try disk.list(directory)
    let again = try open()
    let job = try #require(again.nextCompaction())
    let error = #expect(throws: StoreError.self) { try again.install(job.run()) }
    guard case .unbalanced(let paths) = error, paths.contains(path) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try disk.list(directory) == names)
    #expect(again.nextCompaction() == nil && again.damagedPaths.contains(path))
    #expect(lives(try again.exported()) == lives(model.all))
  }

  @Test("a table that can't be read stops its compaction alone: it is named and left, the rest is read, flushes go on")
  func quarantine() throws {
    let (store, model) = try filled()
    let file = try #require(store.files.levels[0].first)
    disk.flip(file.reader.path, at: 40)
    let again = try open()
    let job = try #require(again.nextCompaction())
    let error = #expect(throws: StoreError.self) { try again.install(job.run()) }
    guard case .corrupt(file.reader.path, 0, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(again.damagedPaths == [file.reader.path] && again.nextCompaction() == nil)
    var read = 0
    for key in Set(model.log.map(\.key)) {
      guard let found = try? again.get(key, at: .max)?.ifValue else { continue }
      #expect(found == model.get(key, at: .max)?.ifValue)
      read += 1
    }
    #expect(read > 0)
    again.apply(Record(key: Key("new"), version: .max, value: [1]))
    let flush = try #require(again.freeze(state: StoreState(appliedIndex: LogIndex(rawValue: 99))))
    try again.install(flush.run())
    #expect(try again.get(Key("new"), at: .max)?.value == [1])
  }
}
