import Bytes
import Environment
import Merkle
import Simulation
import Table
import Testing

@testable import Store

@Suite("What a store proves of itself")
struct ProofTests {
  static let slices = 16

  @Sendable private static func slice(_ key: UnsafeRawBufferPointer) -> Int {
    Int(key.reduce(7) { $0 &* 31 &+ UInt64($1) } % UInt64(slices))
  }

  private func scan(
    _ view: StoreView, _ retention: Retention, prefix: String = "", at: Version? = nil, bytes: Int = 700
  ) -> ViewDigest {
    let scan = ViewScan(
      view, LifeScope(retention: retention, prefix: Array(prefix.utf8), at: at), slices: Self.slices,
      slice: Self.slice)
    while true {
      if let digest = scan.step(bytes: bytes).digest { return digest }
    }
  }

  /// The sums that the records of a model must have.
  private func sums(_ model: Model, _ retention: Retention) -> [RecordSum] {
    let hasher = RecordHasher()
    var sums = [RecordSum](repeating: RecordSum(), count: Self.slices)
    for life in lives(model.all, retention) {
      let sum = life.key.bytes.withUnsafeBytes { key in
        life.value.withUnsafeBytes {
          hasher.sum(key: key, from: life.from.rawValue, to: life.to.rawValue, value: $0)
        }
      }
      sums[life.key.bytes.withUnsafeBytes { Self.slice($0) }].add(sum)
    }
    return sums
  }

  @Test(
    "the sums are those of the records alive from a floor on, however they lie, and while the store goes on",
    arguments: 1...150 as ClosedRange<UInt64>)
  func layout(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let disk = SimulatedDisk()
    let store = try createStore(disk, .tiny(seed))
    var model = Model()
    var floor = Version.zero
    var compaction: CompactionJob?
    var flush: FlushJob?
    // Views with what must be found in them.
    var open: [(view: StoreView, retention: Retention, expected: [RecordSum])] = []
    func step() throws {
      switch Int.random(in: 0..<20, using: &random) {
      case 0:
        if flush == nil { flush = store.freeze(state: model.state) }
      case 1, 2:
        if let job = flush {
          try store.install(job.run())
          flush = nil
        }
      case 3:
        if compaction == nil { compaction = store.nextCompaction() }
      case 4...8:
        if let job = compaction, let result = job.step(bytes: 400) {
          try store.install(result)
          compaction = nil
        }
      case 9:
        guard let last = model.log.last?.version else { return }
        floor = max(floor, Version(rawValue: UInt64.random(in: floor.rawValue...last.rawValue, using: &random)))
        store.retain(Retention(floor: floor))
      case 10:
        let view = store.view()
        #expect(view.retention.floor == floor)
        // Another replica may have dropped more: its floor counts.
        let agreed = Retention(
          floor: floor.advanced(by: Bool.random(using: &random) ? 0 : UInt64.random(in: 0...50, using: &random)))
        open.append((view, agreed, sums(model, agreed)))
      case 11:
        guard !open.isEmpty else { return }
        let (view, retention, expected) = open.remove(at: Int.random(in: 0..<open.count, using: &random))
        let digest = scan(view, retention)
        #expect(digest.leaves == expected && digest.damage.isEmpty, "seed \(seed): \(digest.damage)")
      default:
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 30, &random)
        store.apply(record)
        model.apply(record)
      }
    }
    for _ in 0..<900 { try step() }
    for (view, retention, expected) in open {
      let digest = scan(view, retention, bytes: 100_000)
      #expect(digest.leaves == expected && digest.damage.isEmpty, "seed \(seed): \(digest.damage)")
    }
  }

  @Test("with a prefix only its keys count, and progress ends where it said it would")
  func prefix() throws {
    let disk = SimulatedDisk()
    let store = try createStore(disk)
    var (all, part) = (Model(), Model())
    for number in 1...200 as ClosedRange<UInt64> {
      let record = Record(
        key: Key("\(number % 2 == 0 ? "a" : "b")/\(number)"), version: Version(rawValue: number), value: [1, 2])
      store.apply(record)
      all.apply(record)
      if number % 2 == 0 { part.apply(record) }
      if number == 120 { try store.settle(all.state) }
    }
    let digest = scan(store.view(), .everything, prefix: "a/")
    #expect(digest.leaves == sums(part, .everything))
    #expect(digest.records == 100)
    #expect(digest.bytes == part.all.reduce(0) { $0 + UInt64($1.key.bytes.count + $1.value.count) })
    let empty = scan(store.view(), .everything, prefix: "c/")
    #expect(empty.records == 0 && empty.leaves == [RecordSum](repeating: RecordSum(), count: Self.slices))
  }

  @Test(
    "at a version the sums are those of a store that ends there, whatever came after",
    arguments: 1...20 as ClosedRange<UInt64>)
  func moment(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let disk = SimulatedDisk()
    let (store, other) = (try createStore(disk, .tiny(seed)), try createStore(disk, .tiny(seed + 1), at: "/other"))
    var model = Model()
    func write(to stores: [PartitionStore]) throws {
      let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 20, &random)
      model.apply(record)
      for store in stores { store.apply(record) }
      if Int.random(in: 0..<30, using: &random) == 0 { for store in stores { try store.settle(model.state) } }
    }
    for _ in 0..<150 { try write(to: [store, other]) }
    let moment = try #require(model.log.last?.version)
    let shown = model.live(from: nil, to: nil, at: moment, reverse: false)
    for _ in 0..<150 { try write(to: [store]) }
    let digest = scan(store.view(), .everything, at: moment)
    let expected = scan(other.view(), .everything, at: moment)
    #expect(digest.leaves == expected.leaves && digest.records == UInt64(shown.count), "seed \(seed)")
    #expect(digest.leaves != scan(other.view(), .everything).leaves, "seed \(seed): all that is retained is more")
  }

  @Test("a listing names the records of the slices asked for, part by part", arguments: [1, 3, 1000])
  func listing(limit: Int) throws {
    let disk = SimulatedDisk()
    let store = try createStore(disk)
    var model = Model()
    var random = SplitMix64(seed: 5)
    for _ in 0..<300 {
      let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 40, &random)
      store.apply(record)
      model.apply(record)
    }
    try store.settle(model.state)
    let view = store.view()
    let wanted = Key("key/7").bytes.withUnsafeBytes { Self.slice($0) }
    var found: [ListedLife] = []
    var start: Key?
    var isCut = true
    while isCut {
      let listing = ViewListing(view, LifeScope(retention: .everything), from: start, limit: limit) {
        Self.slice($0) == wanted
      }
      var outcome = ViewListing.Outcome.more
      while case .more = outcome { outcome = listing.step(bytes: 300) }
      guard case .done(let part, let more) = outcome else {
        Issue.record("\(outcome)")
        return
      }
      found += part
      isCut = more
      start = part.last?.key.successor
    }
    let expected = lives(model.all).filter { $0.key.bytes.withUnsafeBytes { Self.slice($0) } == wanted }
    #expect(!expected.isEmpty)
    #expect(found.map(\.key) == expected.map(\.key))
    #expect(found.map(\.from) == expected.map(\.from))
    #expect(found.map(\.to) == expected.map(\.to))
    #expect(found.map(\.valueBytes) == expected.map(\.value.count))
  }
}

@Suite("Damage to a store's files is found and named")
struct ProofDamageTests {
  private struct Scene {
    let disk = SimulatedDisk()
    let store: PartitionStore
    /// The only table.
    let table: String

    init() throws {
      var options = StoreOptions()
      options.table = TableOptions(blockBytes: 300, restartInterval: 4, bloomBitsPerKey: 10)
      store = try createStore(disk, options)
      for number in 1...100 as ClosedRange<UInt64> {
        store.apply(
          Record(key: Key("key/\(100 + number)"), version: Version(rawValue: number), value: Array("v\(number)".utf8)))
      }
      let job = try #require(store.freeze(state: Model().state))
      try store.install(job.run())
      table = try #require(try disk.list(directory).first { $0.hasSuffix(".sst") })
    }

    var path: String { "\(directory)/\(table)" }

    func scan() -> ViewDigest {
      let scan = ViewScan(store.view(), LifeScope(retention: .everything), slices: 4) { Int($0[$0.count - 1]) % 4 }
      while true {
        if let digest = scan.step(bytes: 1000).digest { return digest }
      }
    }
  }

  @Test("a flipped bit anywhere in a table is found; in a block, file, offset and keys are named")
  func flips() throws {
    let scene = try Scene()
    let size = try Int(scene.disk.open(scene.path, .read).size())
    let sound = scene.scan()
    #expect(sound.damage.isEmpty && sound.leaves != nil)
    for at in stride(from: 0, to: size, by: 41) {
      scene.disk.flip(scene.path, at: at)
      let digest = scene.scan()
      #expect(digest.damage.allSatisfy { $0.path == scene.path } && !digest.damage.isEmpty, "byte \(at)")
      scene.disk.flip(scene.path, at: at)
    }
    scene.disk.flip(scene.path, at: 400)
    let found = try #require(scene.scan().damage.first)
    #expect(found.offset > 200 && found.offset <= 400)
    let (after, through) = (try #require(found.after), try #require(found.through))
    #expect(after < through && after > Key("key/101") && through < Key("key/150"))
    #expect(scene.scan().leaves == nil, "unknown, not absent")
    scene.disk.flip(scene.path, at: 400)
    #expect(scene.scan().leaves == sound.leaves)
  }

  @Test("two flipped blocks are both named")
  func two() throws {
    let scene = try Scene()
    scene.disk.flip(scene.path, at: 400)
    scene.disk.flip(scene.path, at: 1400)
    #expect(scene.scan().damage.count == 2)
  }

  @Test("a table that is gone, cut short, or another's is found although the store has it open")
  func replaced() throws {
    let scene = try Scene()
    let whole = try scene.disk.contents(of: scene.path, limit: 1 << 20)
    try scene.disk.replace(scene.path, with: Array(whole.dropLast(100)))
    #expect(scene.scan().damage.map(\.path) == [scene.path])
    #expect(scene.scan().leaves == nil)

    let other = try createStore(scene.disk, .tiny(), at: "/other")
    for number in 1...50 as ClosedRange<UInt64> {
      other.apply(Record(key: Key("other/\(number)"), version: Version(rawValue: number), value: [9]))
    }
    try other.settle(Model().state)
    let table = try #require(try scene.disk.list("/other").first { $0.hasSuffix(".sst") })
    try scene.disk.replace(scene.path, with: try scene.disk.contents(of: "/other/\(table)", limit: 1 << 20))
    #expect(scene.scan().damage.first?.words.contains("SHA-256") == true)

    try scene.disk.remove(scene.path)
    #expect(scene.scan().damage.map(\.words) == ["the file is gone"])
    #expect(scene.scan().leaves == nil)
  }

  @Test("a record changed under right checksums shows in its slice, and in the file's SHA-256")
  func forged() throws {
    let scene = try Scene()
    let sound = try #require(scene.scan().leaves)
    // The same records but for one value, written as a table of its own.
    try scene.disk.remove(scene.path)
    let writer = try TableWriter(
      disk: scene.disk, path: scene.path,
      options: TableOptions(blockBytes: 300, restartInterval: 4, bloomBitsPerKey: 10), tier: .current)
    for number in 1...100 as ClosedRange<UInt64> {
      let value = number == 42 ? "x\(number)" : "v\(number)"
      try Record(key: Key("key/\(100 + number)"), version: Version(rawValue: number), value: Array(value.utf8))
        .withView { (view) throws(TableError) in try writer.add(view) }
    }
    _ = try writer.finish()
    let digest = scene.scan()
    let leaves = try #require(digest.leaves)
    #expect((0..<4).filter { leaves[$0] != sound[$0] } == [Int(UInt8(ascii: "2")) % 4])
    #expect(digest.damage.count == 1 && digest.damage[0].words.contains("checksums of all of its blocks are right"))
  }

  @Test("a damaged manifest or CURRENT is found before the next start needs it")
  func manifest() throws {
    for name in try Scene().disk.list(directory) where !name.hasSuffix(".sst") {
      let scene = try Scene()
      scene.disk.flip("\(directory)/\(name)", at: 3)
      #expect(scene.scan().damage.first?.path.hasSuffix(name) == true, "\(name)")
    }
  }

  @Test("so is the end of a manifest that was cut off, wherever, and a CURRENT that names another one")
  func cutManifest() throws {
    let name = try #require(try Scene().disk.list(directory).first { $0.hasPrefix("manifest") })
    let size = try Scene().disk.contents(of: "\(directory)/\(name)", limit: 1 << 20).count
    for kept in stride(from: size - 1, through: 0, by: -1) {
      let scene = try Scene()
      try scene.disk.open("\(directory)/\(name)", .readWrite).truncate(to: UInt64(kept))
      #expect(scene.scan().damage.count == 1, "\(kept) of \(size) bytes")
    }
    let scene = try Scene()
    let bytes = try scene.disk.contents(of: "\(directory)/\(name)", limit: 1 << 20)
    try scene.disk.replace("\(directory)/manifest-000099", with: bytes)
    try scene.disk.replace("\(directory)/CURRENT", with: StoreLayout.currentContent("manifest-000099"))
    #expect(scene.scan().damage.map(\.path) == ["\(directory)/CURRENT"])
  }
}
