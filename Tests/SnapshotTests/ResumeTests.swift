import Bytes
import Environment
import Simulation
import Table
import Testing

@testable import Snapshot

@Suite("Snapshots' files that are gone on with")
struct ResumeTests {
  private static let part = "/file.kvs.part"
  /// Small blocks, so that a small file has several, and index blocks.
  private static let options = TableOptions(blockBytes: 256, restartInterval: 4, bloomBitsPerKey: 0)

  /// An export: its statement, its records, and the file that it makes uninterrupted.
  struct Export: Sendable, CustomTestStringConvertible {
    let name: String
    let statement: SnapshotStatement
    let spans: [Lifespan]
    let bytes: [UInt8]
    var testDescription: String { name }

    init(_ name: String, _ statement: SnapshotStatement, _ spans: [Lifespan]) throws {
      (self.name, self.statement, self.spans) = (name, statement, spans)
      let disk = SimulatedDisk()
      let writer = try SnapshotFileWriter(
        disk: disk, path: part, statement: statement, options: ResumeTests.options)
      try Export.finish(writer, spans)
      bytes = try disk.contents(of: part, limit: 1 << 20)
    }

    /// Adds records and ends the file. A signature is never the same twice; what stands for it here is.
    static func finish(_ writer: SnapshotFileWriter, _ spans: some Sequence<Lifespan>) throws {
      for span in spans { try writer.add(span) }
      _ = writer.complete()
      _ = try writer.finish(
        signature: Array("signature".utf8), certificate: Array("certificate".utf8), authority: Array("authority".utf8))
    }

    /// Goes on with a part on a disk as the command does, and gives the file; with how many records the part had.
    func resume(on disk: SimulatedDisk) throws -> (bytes: [UInt8], kept: Int) {
      let (writer, last) = try SnapshotFileWriter.resume(
        disk: disk, path: part, statement: statement, options: ResumeTests.options)
      let kept = Int(writer.records)
      let before = spans.prefix(kept).last?.record
      #expect(last == before.map { RecordPlace(key: $0.key, version: $0.version) })
      try Export.finish(writer, spans[kept...])
      return (try disk.contents(of: part, limit: 1 << 20), kept)
    }

    func resume(_ left: [UInt8]) throws -> (bytes: [UInt8], kept: Int) {
      try resume(on: try ResumeTests.disk(left))
    }
  }

  private static func disk(_ left: [UInt8]) throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    try disk.open(part, .create).write(left, at: 0)
    return disk
  }

  private static let model = WriteModel(seed: 11, count: 120)

  /// One of each kind.
  static func exports() throws -> [Export] {
    let last = model.last
    let (oldest, since) = (Version(rawValue: 200), Version(rawValue: 250))
    return [
      try Export("full", model.statement(at: last), model.alive(at: last).map { Lifespan($0, to: .max) }),
      try Export("changes", model.statement(at: last, since: since), model.changes(since: since, at: last)),
      try Export(
        "history", model.statement(at: last, oldest: oldest),
        model.history(since: oldest, at: last, changedOnly: false)),
      try Export("empty", model.statement(at: last), []),
    ]
  }

  @Test("cut at any byte, a file is gone on with and becomes the same, byte by byte")
  func cuts() throws {
    for export in try Self.exports() {
      var most = 0
      for count in 0...export.bytes.count {
        let (bytes, kept) = try export.resume(Array(export.bytes.prefix(count)))
        #expect(bytes == export.bytes, "\(export.name) cut at \(count)")
        #expect(kept >= most, "\(export.name): a longer part keeps less at \(count)")
        most = max(most, kept)
      }
      #expect(most == export.spans.count, "\(export.name): whole blocks were not kept")
    }
  }

  @Test("whatever lies behind what is sound is cut off")
  func tails() throws {
    var random = SplitMix64(seed: 9)
    let tail = (0..<9000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    for export in try Self.exports() {
      for count in stride(from: 0, through: export.bytes.count, by: 50) {
        let left = Array(export.bytes.prefix(count) + tail)
        #expect(try export.resume(left).bytes == export.bytes, "\(export.name) with a tail at \(count)")
      }
    }
  }

  @Test("sound blocks out of order are not kept")
  func splices() throws {
    func export(from first: Int) throws -> Export {
      let spans = (first..<first + 40).map { number in
        let value = [UInt8](repeating: 1, count: 30)
        return Lifespan(Record(key: Key("key/\(number)"), version: Version(rawValue: 7), value: value), to: .max)
      }
      return try Export("from \(first)", Self.model.statement(at: Version(rawValue: 9)), spans)
    }
    let (later, earlier) = (try export(from: 500), try export(from: 100))
    #expect(later.bytes.count == earlier.bytes.count)
    for count in 1..<later.bytes.count {
      let left = Array(later.bytes.prefix(count) + earlier.bytes.suffix(from: count))
      #expect(try later.resume(left).bytes == later.bytes, "spliced at \(count)")
    }
  }

  @Test("with any byte damaged, or all from it on lost, a file becomes the same")
  func flips() throws {
    for export in try Self.exports() {
      for offset in export.bytes.indices {
        var left = export.bytes
        left[offset] ^= 1 << UInt8(offset % 8)
        #expect(try export.resume(left).bytes == export.bytes, "\(export.name) flipped at \(offset)")
        let zeros = [UInt8](repeating: 0, count: export.bytes.count - offset)
        let holed = Array(export.bytes.prefix(offset)) + zeros
        #expect(try export.resume(holed).bytes == export.bytes, "\(export.name) zero from \(offset)")
      }
    }
  }

  /// An export that takes several writes, with blocks of the size that files have.
  private static func large() throws -> Export {
    var random = SplitMix64(seed: 4)
    let spans = (0..<1600).map { number in
      let value = (0..<400).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      return Lifespan(Record(key: Key("key/\(10_000 + number)"), version: Version(rawValue: 7), value: value), to: .max)
    }
    return try Export("large", model.statement(at: Version(rawValue: 9)), spans)
  }

  @Test("after a power loss at any step, again and again, the file becomes the same")
  func crashes() throws {
    let export = try Self.large()
    var interruptions = 0
    for seed in 0..<24 as Range<UInt64> {
      let disk = try Self.disk([])
      try disk.syncDirectory("/")
      for attempt in 0..<5 as Range<UInt64> {
        disk.powerOff(afterSteps: Int((seed + attempt) % 5))
        do { _ = try export.resume(on: disk) } catch is SnapshotError { interruptions += 1 }
        disk.crash(seed: seed * 31 + attempt)
      }
      #expect(try export.resume(on: disk).bytes == export.bytes, "seed \(seed)")
    }
    #expect(interruptions >= 48)
  }

  @Test("a full disk keeps what there was room for")
  func fullDisk() throws {
    let export = try Self.large()
    let disk = try Self.disk([])
    for room in [100_000, 300_000, 500_000] {
      disk.setCapacity(room)
      #expect(throws: SnapshotError.self) { try export.resume(on: disk) }
    }
    disk.setCapacity(nil)
    let (bytes, kept) = try export.resume(on: disk)
    #expect(bytes == export.bytes && kept > export.spans.count / 2)
  }

  @Test("what is already there is kept, and not written again")
  func kept() throws {
    let export = try Self.large()
    let disk = try Self.disk(export.bytes)
    let before = disk.steps
    let (writer, last) = try SnapshotFileWriter.resume(
      disk: disk, path: Self.part, statement: export.statement, options: Self.options)
    #expect(Int(writer.records) == export.spans.count && last?.key == export.spans.last?.record.key)
    #expect(disk.steps == before + 1, "more than the tail was cut off")
    let left = try disk.contents(of: Self.part, limit: 1 << 20)
    #expect(export.bytes.starts(with: left) && left.count > export.bytes.count * 9 / 10)
    #expect(try export.resume(on: disk).bytes == export.bytes)
  }

  @Test("blocks that are sound, but not what this writer makes of its records, are written anew")
  func otherBlocks() throws {
    for export in try Self.exports() + [Self.large()] {
      for blockBytes in [64, 128, 512, 4096] {
        let disk = SimulatedDisk()
        let writer = try SnapshotFileWriter(
          disk: disk, path: Self.part, statement: export.statement,
          options: TableOptions(blockBytes: blockBytes, restartInterval: 16, bloomBitsPerKey: 0))
        try Export.finish(writer, export.spans)
        let (bytes, kept) = try export.resume(on: disk)
        #expect(bytes == export.bytes, "\(export.name) of blocks of \(blockBytes)")
        #expect(blockBytes < 4096 || kept < 10, "\(export.name): what was not this writer's was read on")
      }
    }
  }

  @Test("blocks that are only as long as what this writer makes of their records are written anew")
  func otherBytes() throws {
    // Six records make a block, of which the first and the fifth, or the first and the sixth, are restart points.
    let spans = (1000..<2000).flatMap { number in
      "abcdef".map { letter in
        let value = [UInt8](repeating: 2, count: 60)
        return Lifespan(
          Record(key: Key("\(number)\(letter)"), version: Version(rawValue: 7), value: value), to: .max)
      }
    }
    let statement = Self.model.statement(at: Version(rawValue: 9))
    func file(restartInterval: Int) throws -> (disk: SimulatedDisk, options: TableOptions, bytes: [UInt8]) {
      let disk = SimulatedDisk()
      let options = TableOptions(blockBytes: 600, restartInterval: restartInterval, bloomBitsPerKey: 0)
      let writer = try SnapshotFileWriter(disk: disk, path: Self.part, statement: statement, options: options)
      try Export.finish(writer, spans)
      return (disk, options, try disk.contents(of: Self.part, limit: 1 << 20))
    }
    let (own, other) = (try file(restartInterval: 4), try file(restartInterval: 5))
    #expect(own.bytes != other.bytes)
    let (writer, last) = try SnapshotFileWriter.resume(
      disk: other.disk, path: Self.part, statement: statement, options: own.options)
    #expect(last?.key == spans.last?.record.key, "blocks of other lengths")
    try Export.finish(writer, spans[Int(writer.records)...])
    #expect(try other.disk.contents(of: Self.part, limit: 1 << 20) == own.bytes)
  }

  @Test("sound blocks of records that the statement is not true of are not kept")
  func otherRecords() throws {
    let last = Self.model.last
    let full = try Self.exports()[0]
    let earlier = Self.model.statement(at: Version(rawValue: last.rawValue / 2))
    let (writer, _) = try SnapshotFileWriter.resume(
      disk: try Self.disk(full.bytes), path: Self.part, statement: earlier, options: Self.options)
    #expect(writer.records == 0, "records newer than the export")
    var narrow = Self.model.statement(at: last)
    narrow.prefix = Array("other/".utf8)
    let other = try SnapshotFileWriter.resume(
      disk: try Self.disk(full.bytes), path: Self.part, statement: narrow, options: Self.options)
    #expect(other.writer.records == 0 && other.last == nil, "keys beyond the prefix")
    let history = try Self.exports()[2]
    let mixed = try SnapshotFileWriter.resume(
      disk: try Self.disk(history.bytes), path: Self.part, statement: full.statement, options: Self.options)
    #expect(mixed.writer.records == 0 || history.spans.first?.to == .max)
  }

  @Test("what the disk refuses is an error, not the end of what is sound")
  func refusals() throws {
    let export = try Self.exports()[0]
    #expect(throws: SnapshotError.self) {
      try SnapshotFileWriter.resume(
        disk: SimulatedDisk(), path: Self.part, statement: export.statement, options: Self.options)
    }
  }

  @Test("what a part is of is read back; a damaged or another file is refused", arguments: [false, true])
  func about(history: Bool) throws {
    let statement = Self.model.statement(at: Version(rawValue: 900), since: Version(rawValue: 300))
    let part = SnapshotPart(
      statement: statement, history: history, at: Array("-5m".utf8), since: Array("snap:sunday".utf8))
    let bytes = part.encoded()
    #expect(try SnapshotPart(decoding: bytes) == part)
    #expect(SnapshotPart.isOne(bytes) && bytes.count <= SnapshotPart.mostBytes)
    for count in bytes.indices {
      #expect(throws: ByteError.self) { try SnapshotPart(decoding: Array(bytes.prefix(count))) }
    }
    for offset in bytes.indices {
      var other = bytes
      other[offset] ^= 1 << UInt8(offset % 8)
      #expect(throws: ByteError.self, "byte \(offset)") { try SnapshotPart(decoding: other) }
    }
    #expect(throws: ByteError.self) { try SnapshotPart(decoding: bytes + [0]) }
  }

  @Test("what is noted of a part is, byte by byte, what format 1 is")
  func golden() {
    let statement = SnapshotStatement(
      cluster: "kv-a", version: Version(rawValue: 9), oldest: Version(rawValue: 2), since: nil, prefix: [0x75],
      createdMilliseconds: 258)
    let part = SnapshotPart(statement: statement, history: true, at: Array("-5m".utf8), since: [])
    let expected =
      "6b762d7370617274" + "01000000" + "58" + "01046b762d61" + "0900000000000000" + "0200000000000000"
      + "0000000000000000" + "0175" + "0201000000000000" + String(repeating: "0", count: 96) + "01" + "032d356d" + "00"
    #expect(hexadecimal(part.encoded().dropLast(4)) == expected)
  }
}
