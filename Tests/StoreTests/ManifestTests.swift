import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite struct ManifestTests {
  /// A closed store with some edits in its manifest, and the path of that.
  private func filled() throws -> (disk: SimulatedDisk, path: String, model: Model) {
    let disk = SimulatedDisk()
    var options = StoreOptions.tiny()
    options.manifestBytes = 1 << 20
    let store = try createStore(disk, options)
    var random = SplitMix64(seed: 1)
    var model = Model()
    for _ in 0..<4 {
      for _ in 0..<10 {
        let record = randomRecord(after: model.log.last?.version ?? .zero, keys: 9, &random)
        model.apply(record)
        store.apply(record)
      }
      try store.settle(model.state)
    }
    return (disk, "/store/manifest-000001", model)
  }

  @Test("any byte of a manifest flipped: an error that names the file and the place, or the same store")
  func flips() throws {
    let (whole, path, model) = try filled()
    let size = Int(try whole.open(path, .read).size())
    var harmless = 0
    for offset in 0..<size {
      let disk = whole.clone()
      disk.flip(path, at: offset, mask: UInt8(1) << UInt8(offset % 8))
      do throws(StoreError) {
        let store = try openStore(disk)
        harmless += 1
        #expect(store.flushedState == model.state, "byte \(offset)")
        #expect(lives(try store.exported()) == lives(model.all), "byte \(offset)")
      } catch {
        guard case .corrupt(path, let place, let expected, let found) = error else {
          Issue.record("byte \(offset): \(error)")
          continue
        }
        #expect(place <= UInt64(offset) + 16 && expected != found, "byte \(offset): \(error)")
      }
    }
    // Only the last seal may go unnoticed.
    #expect(harmless == ManifestFormat.sealBytes)
  }

  @Test("a manifest cut off is that of an earlier edit, unless the cut is in the first")
  func truncation() throws {
    let (whole, path, model) = try filled()
    let bytes = try whole.contents(of: path, limit: 1 << 20)
    let first = ManifestFormat.headerBytes + (try ManifestFormat.readFrame(bytes, at: 16).payload.upperBound - 16)
    for count in 0..<bytes.count {
      guard count >= first else {
        #expect(throws: ByteError.self, "\(count) bytes") { try ManifestReader.parse(Array(bytes[..<count])) }
        continue
      }
      let image = try ManifestReader.parse(Array(bytes[..<count]))
      let applied = Int(image.content.state.appliedIndex.rawValue)
      #expect(image.content.state == Model(model.log.prefix(applied)).state, "\(count) bytes")
      #expect(image.end <= count)
      #expect(!image.isSealed || image.end == count, "\(count) bytes")
    }
  }

  @Test("any byte of CURRENT flipped, or the file cut off, is an error")
  func current() throws {
    let (whole, _, _) = try filled()
    let path = "/store/CURRENT"
    let bytes = try whole.contents(of: path, limit: 100)
    #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("manifest-000001 "))
    for offset in bytes.indices {
      whole.flip(path, at: offset, mask: 4)
      #expect(throws: StoreError.self, "byte \(offset)") { try openStore(whole) }
      whole.flip(path, at: offset, mask: 4)
    }
    for count in bytes.indices {
      try whole.open(path, .readWrite).truncate(to: UInt64(count))
      #expect(throws: StoreError.self, "\(count) bytes") { try openStore(whole) }
      try whole.open(path, .readWrite).write(bytes, at: 0)
    }
  }

  @Test("a CURRENT or a manifest that is far too large is damaged, not a failure of the disk")
  func tooLarge() throws {
    for (name, size) in [("CURRENT", UInt64(64 << 20)), ("manifest-000001", UInt64(ManifestFormat.maximumBytes + 1))] {
      let (whole, _, _) = try filled()
      try whole.open("/store/\(name)", .readWrite).truncate(to: size)
      #expect {
        try openStore(whole)
      } throws: { error in
        if case .corrupt("/store/\(name)", 0, _, _)? = error as? StoreError { true } else { false }
      }
    }
  }

  @Test("a table that is missing, shorter, or another one than the manifest says is an error")
  func tables() throws {
    let (whole, _, _) = try filled()
    let names = try whole.list(directory).filter { $0.hasSuffix(".sst") }
    let path = directory + "/" + (try #require(names.first))
    let missing = whole.clone()
    try missing.remove(path)
    #expect(throws: StoreError.self) { try openStore(missing) }
    let short = whole.clone()
    let file = try short.open(path, .readWrite)
    try file.truncate(to: try file.size() - 1)
    #expect(throws: StoreError.self) { try openStore(short) }
    let other = whole.clone()
    try other.remove(path)
    let writer = try SnapshotWriter(disk: other, directory: "/other", options: .tiny())
    try writer.add(Record(key: Key("a"), version: .max, value: [1]))
    try writer.finish(state: StoreState())
    try other.rename("/other/000001.sst", to: path)
    #expect(throws: StoreError.self) { try openStore(other) }
  }

  @Test("random bytes under right checksums are refused or read, and nothing crashes")
  func fuzz() throws {
    let (whole, path, _) = try filled()
    let bytes = try whole.contents(of: path, limit: 1 << 20)
    var random = SplitMix64(seed: 8)
    for _ in 0..<1500 {
      var changed: [UInt8] = ManifestFormat.header()
      var at = ManifestFormat.headerBytes
      while at < bytes.count {
        let frame = try ManifestFormat.readFrame(bytes, at: at)
        var payload = Array(bytes[frame.payload])
        if random.next() % 4 == 0, !payload.isEmpty {
          payload[Int.random(in: payload.indices, using: &random)] = UInt8(truncatingIfNeeded: random.next())
          if random.next() % 4 == 0 { payload.removeLast(Int.random(in: payload.indices, using: &random)) }
        }
        changed += ManifestFormat.frame(frame.type, payload, at: UInt64(changed.count))
        at = frame.payload.upperBound
      }
      _ = try? ManifestReader.parse(changed)
    }
  }

  @Test("a directory that holds a store, or tables, is refused for a new one; foreign files are left alone")
  func existing() throws {
    let (disk, _, _) = try filled()
    let error = #expect(throws: StoreError.self) { try createStore(disk) }
    guard case .exists = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    try disk.open("/store/notes", .create).sync()
    _ = try openStore(disk)
    #expect(disk.exists("/store/notes"))
  }
}
