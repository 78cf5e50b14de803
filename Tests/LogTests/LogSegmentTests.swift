import Bytes
import Environment
import Log
import Simulation
import Testing

@Suite("The segments of the shared log")
struct LogSegmentTests {
  let disk = SimulatedDisk()

  @Test("An empty directory is an empty log; what is written is there at the next start, group by group")
  func roundTrip() throws {
    let (log, empty) = try open(disk)
    #expect(empty.groups.isEmpty && empty.damage.isEmpty)
    let membership = LogEntry(term: Term(rawValue: 3), index: index(3), kind: .membership, payload: [])
    try log.append(
      [
        LogWrite(group: group(9), hardState: hardState(3, vote: 1, commit: 2), entries: entries(1...2) + [membership]),
        LogWrite(group: group(2), entries: entries(8...9), reset: LogPoint(index: index(7), term: Term(rawValue: 4))),
        LogWrite(group: group(5), hardState: hardState(1)), LogWrite(group: group(6), entries: entries(1...1)),
        LogWrite(group: group(6), removed: true),
      ], sync: true)
    try log.append([LogWrite(group: group(9), compactedThrough: index(1))], sync: false)
    try log.append([], sync: true)
    let (_, held) = try open(disk)
    #expect(held.groups.map { $0.0 } == [group(2), group(5), group(9)])
    #expect(
      held[9]
        == RecoveredGroup(
          health: .intact, hardState: hardState(3, vote: 1, commit: 2), reset: .start, compactedThrough: index(1),
          entries: entries(2...2) + [membership]))
    #expect(
      held[2]
        == RecoveredGroup(
          health: .intact, hardState: hardState(0), reset: LogPoint(index: index(7), term: Term(rawValue: 4)),
          compactedThrough: index(7), entries: entries(8...9)))
    #expect(held[5]?.hardState == hardState(1))
  }

  @Test("New entries void those at their indices and after, wherever those are")
  func truncation() throws {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1), entries: entries(1...8, bytes: 900))], sync: true)
    try log.append([LogWrite(group: group(1), entries: entries(3...4, term: 2))], sync: true)
    try log.append([LogWrite(group: group(1), entries: entries(4...6, term: 3))], sync: true)
    let (_, held) = try open(disk)
    #expect(held[1]?.entries == entries(1...2, bytes: 900) + entries(3...3, term: 2) + entries(4...6, term: 3))
  }

  @Test("A commit never comes to speak of entries that replaced those it was said of")
  func commit() throws {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1), hardState: hardState(1, commit: 9), entries: entries(1...6))], sync: true)
    try log.append([LogWrite(group: group(1), entries: entries(7...9, term: 2))], sync: true)
    #expect(try recoveredCommit() == index(6))
    let reset = LogPoint(index: index(4), term: Term(rawValue: 1))
    try log.append([LogWrite(group: group(1), entries: entries(5...8, term: 3), reset: reset)], sync: true)
    #expect(try recoveredCommit() == index(4))
  }

  private func recoveredCommit() throws -> LogIndex? {
    let (_, held) = try open(disk.clone())
    return held[1]?.hardState.commit
  }

  @Test("A write that says nothing leaves nothing")
  func empty() throws {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1))], sync: true)
    let (_, held) = try open(disk)
    #expect(held.groups.isEmpty)
  }

  @Test("Segments that no group needs are written again, in bounded number, and their old records stay dead")
  func recycling() throws {
    var (log, _) = try open(disk)
    let quiet = LogWrite(group: group(2), hardState: hardState(7, vote: 4), entries: entries(1...1))
    try log.append([quiet, LogWrite(group: group(3), entries: entries(1...2), removed: true)], sync: true)
    try log.append([LogWrite(group: group(2), compactedThrough: index(1))], sync: true)
    for number in 1...200 as ClosedRange<UInt64> {
      try log.append(
        [LogWrite(group: group(1), hardState: hardState(number), entries: entries(number...number, bytes: 500))],
        sync: true)
      if number % 10 == 0 {
        try log.append([LogWrite(group: group(1), compactedThrough: index(number - 1))], sync: true)
      }
      #expect(try disk.list("log").count <= 6)
      if number % 37 == 0 {
        let (again, held) = try open(disk)
        #expect(held.damage == [])
        #expect(held.groups.map { $0.0 } == [group(1), group(2)])
        #expect(
          held[2]?.hardState == hardState(7, vote: 4) && held[2]?.entries == [] && held[2]?.compactedThrough == index(1)
        )
        #expect(held[1]?.entries.last?.index == index(number))
        #expect(held[1]?.hardState == hardState(number))
        log = again
      }
    }
    #expect(!disk.exists(segment(1)) && log.statistics.segments <= 4 && log.statistics.spares <= 2)
  }

  @Test("The groups that hold the log back are named, the one with the oldest entries first")
  func pinning() throws {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(7), entries: entries(1...1))], sync: true)
    try log.append([LogWrite(group: group(1), entries: entries(1...5, bytes: 900))], sync: true)
    try log.append([LogWrite(group: group(4), entries: entries(1...8, bytes: 900))], sync: true)
    #expect(log.pinningGroups(beyond: .kibibytes(64)) == [])
    #expect(log.pinningGroups(beyond: .kibibytes(4)) == [group(1), group(7), group(4)])
    #expect(log.oldestSegment(of: group(7)) == 1)
    #expect(log.pinnedBytes(by: group(7)) == log.statistics.bytes)
    #expect(log.pinnedBytes(by: group(4)) < log.statistics.bytes && log.pinnedBytes(by: group(9)) == .bytes(0))
    let before = log.statistics
    try log.append(
      [LogWrite(group: group(7), compactedThrough: index(1)), LogWrite(group: group(1), compactedThrough: index(5))],
      sync: true)
    #expect(log.pinningGroups(beyond: .kibibytes(4)) == [group(4)])
    #expect(log.oldestSegment(of: group(7)) == nil && log.pinnedBytes(by: group(7)) == .bytes(0))
    #expect(log.statistics.segments < before.segments && log.statistics.bytes < before.bytes)
  }

  @Test("An entry larger than a segment gets one of its own size, which is not kept afterwards")
  func oversize() throws {
    let options = LogOptions(segmentBytes: .kibibytes(64), identity: 7)
    let (log, _) = try open(disk, options)
    let big = LogEntry(
      term: Term(rawValue: 1), index: index(2),
      payload: [UInt8](repeating: 0xab, count: Limits.valueBytes.rawValue + Limits.keyBytes.rawValue))
    let most = LogEntry(
      term: Term(rawValue: 1), index: index(4), payload: [UInt8](repeating: 0xcd, count: Limits.entryBytes.rawValue))
    try log.append(
      [LogWrite(group: group(1), hardState: hardState(1), entries: entries(1...1) + [big] + entries(3...3) + [most])],
      sync: true)
    let (again, held) = try open(disk, options)
    #expect(held.damage == [])
    #expect(held[1]?.entries == entries(1...1) + [big] + entries(3...3) + [most])
    try again.append([LogWrite(group: group(1), compactedThrough: index(4))], sync: true)
    for number in 5...200 as ClosedRange<UInt64> {
      try again.append(
        [LogWrite(group: group(1), entries: entries(number...number, bytes: 2000), compactedThrough: index(number))],
        sync: true)
    }
    for name in try disk.list("log") {
      #expect(try disk.contents(of: "log/" + name, limit: 1 << 26).count == 65536)
    }
  }

  @Test("A spare is ordered only where none waits and none is being made")
  func spares() throws {
    let (log, _) = try open(disk)
    #expect(log.statistics.spares == 1 && log.beginSpare() == nil)
    try log.append([LogWrite(group: group(1), entries: entries(1...5, bytes: 900))], sync: true)
    let order = try #require(log.beginSpare())
    #expect(log.beginSpare() == nil)
    try order.make()
    // The log goes on meanwhile, and makes what it needs itself.
    try log.append([LogWrite(group: group(1), entries: entries(6...10, bytes: 900))], sync: true)
    try log.endSpare(isMade: true)
    #expect(log.statistics.spares == 1 && log.beginSpare() == nil)
    #expect(try !disk.list("log").contains("spare.tmp"))
    try log.append([LogWrite(group: group(1), entries: entries(11...15, bytes: 900))], sync: true)
    let (_, held) = try open(disk)
    #expect(held.damage == [] && held[1]?.entries == entries(1...15, bytes: 900))
  }

  @Test("Nothing on the way to a new segment waits for more than a header's sync and a mark's once a spare is there")
  func rollingIsShort() throws {
    let (log, _) = try open(disk, LogOptions(segmentBytes: .mebibytes(1), identity: 7))
    try log.append([LogWrite(group: group(1), entries: entries(1...1, bytes: 1_000_000))], sync: true)
    let before = disk.steps
    try log.append([LogWrite(group: group(1), entries: entries(2...2, bytes: 100_000))], sync: true)
    #expect(disk.steps - before == 6, "header, sync, mark, sync, frame, sync")
  }

  @Test("A spare that a crash left unfinished is removed at the next start")
  func unfinishedSpare() throws {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1), entries: entries(1...5, bytes: 900))], sync: true)
    try #require(log.beginSpare()).make()
    let (_, held) = try open(disk)
    #expect(held.damage == [] && !disk.exists("log/spare.tmp"))
  }

  @Test("A log of another segment size is taken over")
  func options() throws {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1), entries: entries(1...20, bytes: 900))], sync: true)
    let larger = LogOptions(segmentBytes: .kibibytes(16), identity: 8)
    let (again, held) = try open(disk, larger)
    #expect(held[1]?.entries == entries(1...20, bytes: 900))
    try again.append([LogWrite(group: group(1), entries: entries(21...60, bytes: 900))], sync: true)
    let (_, more) = try open(disk)
    #expect(more[1]?.entries == entries(1...60, bytes: 900))
  }

  @Test("A log written by a newer kv is refused by name")
  func newer() throws {
    _ = try open(disk)
    let header = try disk.contents(of: segment(1), limit: 4096)
    var newer = Array(header[..<60])
    newer[8] = 2
    var writer = ByteWriter()
    writer.raw(newer)
    writer.u32(CRC32C.checksum(newer))
    try disk.open(segment(1), .readWrite).write(writer.bytes, at: 0)
    #expect(throws: LogError.unsupportedFormat(path: segment(1), found: 2, supported: 1)) { try open(disk) }
  }

  @Test("Files that are no segments are left alone")
  func strangers() throws {
    try disk.createDirectory("log")
    for name in ["log/README", "log/1.log", "log/000000000000000G.log"] { _ = try disk.open(name, .create) }
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1), hardState: hardState(1))], sync: true)
    #expect(try disk.list("log").filter { $0.hasPrefix("0") }.count == 3)
    let (_, held) = try open(disk)
    #expect(held.groups.count == 1 && held.damage == [])
    #expect(disk.exists("log/README") && disk.exists("log/1.log"))
  }
}
