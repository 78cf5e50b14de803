import Bytes
import Environment
import Log
import Simulation
import Testing

@Suite("Mending the shared log while it is in use")
struct LogMendingTests {
  /// What becomes of a log's files.
  enum Harm: CaseIterable {
    case firstFlipped, activeFlipped, activeHeaderGone, firstGone, secondGone, activeGone

    func strike(_ disk: SimulatedDisk, _ log: SharedLog) throws {
      let active = log.statistics.segments
      switch self {
      case .firstFlipped: disk.flip(segment(1), at: 1500)
      case .activeFlipped: disk.flip(segment(active), at: 1200)
      case .activeHeaderGone: for copy in [0, 512] { disk.flip(segment(active), at: copy + 20) }
      case .firstGone: try disk.remove(segment(1))
      case .secondGone: try disk.remove(segment(2))
      case .activeGone: try disk.remove(segment(active))
      }
    }
  }

  private let disk = SimulatedDisk()

  private static let flushed = entries(1...12, bytes: 500)
  private static let kept = entries(1...5, bytes: 300)
  private static let large = entries(1...9, bytes: 700)

  /// A log of several segments: of a group that can flush its entries, of two that can't, one of them larger than a
  /// segment, and of one that has none and says nothing any more.
  private func fill(_ disk: SimulatedDisk) throws -> SharedLog {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(4), hardState: hardState(7, vote: 9))], sync: true)
    for part in 0..<4 {
      let some = Array(Self.flushed[3 * part..<3 * part + 3])
      try log.append([LogWrite(group: group(1), hardState: hardState(1, vote: 3), entries: some)], sync: true)
    }
    let state = hardState(2, vote: 4, commit: 1)
    try log.append([LogWrite(group: group(3), hardState: state, entries: Self.large)], sync: true)
    try log.append([LogWrite(group: group(2), hardState: state, entries: Self.kept)], sync: true)
    // It says, durably, that what comes before is no torn end.
    try log.append([LogWrite(group: group(2), hardState: state)], sync: true)
    return log
  }

  private func faults(_ log: SharedLog) -> [LogFault] {
    let scrub = LogScrub(log.extent)
    while scrub.advance() {}
    return scrub.faults.filter { log.isLive($0.sequence) }
  }

  /// What the groups that keep the log from letting go do about it.
  private func renew(_ groups: [GroupID], _ log: SharedLog) throws {
    try log.append(
      groups.map { id in
        guard id != group(1) else { return LogWrite(group: id, compactedThrough: index(12)) }
        var write = LogWrite(group: id, hardState: hardState(2, vote: 4, commit: 1))
        write.entries = id == group(2) ? Self.kept : Self.large
        write.isRepetition = true
        return write
      }, sync: true)
  }

  private func mend(_ log: SharedLog, _ damaged: Set<UInt64>) throws {
    try renew(try log.mend(damaged), log)
    #expect(try log.mend(damaged) == [])
  }

  /// Expects that what is held of the groups is what was written, where it passes for that.
  private func expectWritten(_ held: RecoveredLog, _ words: String) {
    for (id, found) in held.groups where found.health == .intact {
      let all = [group(1): Self.flushed, group(2): Self.kept, group(3): Self.large][id] ?? []
      #expect(found.entries == Array(all.dropFirst(Int(found.compactedThrough.rawValue))), "\(id): \(words)")
      let state = id == group(1) ? hardState(1, vote: 3) : id == group(4) ? hardState(7, vote: 9) : nil
      #expect(found.hardState == state ?? hardState(2, vote: 4, commit: 1), "\(id): \(words)")
    }
  }

  @Test("whatever was found damaged is set aside, nothing is lost at the next start, and no loss is told")
  func anyByte() throws {
    var mended = 0
    for sequence in 1...4 {
      for at in stride(from: sequence, to: 4096, by: 37) {
        let disk = SimulatedDisk()
        let log = try fill(disk)
        disk.flip(segment(sequence), at: at, mask: 1 << UInt8(at % 8))
        let found = Set(faults(log).map(\.sequence))
        guard !found.isEmpty else { continue }
        mended += 1
        let words = "segment \(sequence) byte \(at)"
        try mend(log, found)
        #expect(faults(log) == [], "\(words)")
        #expect(try disk.list("log").filter { $0.hasSuffix(".log.mended") }.count == found.count, "\(words)")
        let (_, held) = try open(disk.clone())
        #expect(held.damage == [] && held.groups.count == 4, "\(words): \(held.damage)")
        #expect(held.groups.allSatisfy { $0.1.health == .intact }, "\(words)")
        expectWritten(held, words)
      }
    }
    #expect(mended > 150)
  }

  @Test("nothing more is written to a damaged segment, and it is left once", arguments: Harm.allCases)
  func left(harm: Harm) throws {
    let log = try fill(disk)
    try harm.strike(disk, log)
    let found = Set(faults(log).map(\.sequence))
    let last = try #require(found.max())
    let path = segment(Int(last))
    let segments = log.statistics.segments
    let groups = try log.mend(found)
    #expect(!groups.isEmpty)
    let content = try? disk.contents(of: path, limit: 1 << 20)
    try log.append([LogWrite(group: group(4), hardState: hardState(7, vote: 9, commit: 0))], sync: true)
    #expect(try log.mend(found) == groups)
    #expect((try? disk.contents(of: path, limit: 1 << 20)) == content)
    #expect(log.statistics.segments == (Int(last) == segments ? segments + 1 : segments))
    try renew(groups, log)
    #expect(try log.mend(found) == [])
    #expect(faults(log) == [] && log.statistics.failure == nil)
    let (_, held) = try open(disk.clone())
    #expect(held.damage == [] && held.groups.count == 4)
    expectWritten(held, "\(harm)")
  }

  @Test("a crash at any step leaves no less than there was before", arguments: Harm.allCases)
  func crash(harm: Harm) throws {
    for step in 0..<100 {
      let disk = SimulatedDisk()
      let log = try fill(disk)
      try harm.strike(disk, log)
      try disk.syncDirectory("log")
      let found = Set(faults(log).map(\.sequence))
      let before = try open(disk.clone()).held
      disk.powerOff(afterSteps: step)
      let isDone = (try? mend(log, found)) != nil
      disk.crash(seed: UInt64(step))
      let (again, held) = try open(disk)
      let words = "\(harm) step \(step)"
      for (id, found) in before.groups where found.health == .intact {
        #expect(held.groups.first { $0.0 == id }?.1.health == .intact, "group \(id), \(words)")
      }
      expectWritten(held, words)
      #expect(faults(again) == [] || !held.damage.isEmpty, "\(words)")
      guard !isDone else {
        #expect(step > 6)
        return
      }
    }
    Issue.record("\(harm): more steps than expected")
  }

  @Test("a group that can let go of nothing keeps the segment, and what it lost to itself")
  func pinned() throws {
    let log = try fill(disk)
    try Harm.firstFlipped.strike(disk, log)
    let found = Set(faults(log).map(\.sequence))
    let groups = try log.mend(found)
    try #require(groups == [group(1)], "the only one with entries there")
    try renew([group(2), group(3)], log)
    #expect(try log.mend(found) == groups && log.isLive(1))
    let (_, held) = try open(disk.clone())
    #expect(held.groups.filter { $0.1.health != .intact }.map(\.0) == groups)
    expectWritten(held, "pinned")
  }

  @Test("without room for another segment all stays as it is, and it is mended when there is room")
  func full() throws {
    let log = try fill(disk)
    try Harm.activeFlipped.strike(disk, log)
    let found = faults(log)
    let segments = log.statistics.segments
    disk.inject(DiskFault(code: DiskFault.noSpace, times: nil) { $0.kind == .create })
    for _ in 0..<2 {
      do {
        _ = try log.mend(Set(found.map(\.sequence)))
        Issue.record("there was room")
      } catch {
        guard case .full = error else { throw error }
      }
      #expect(log.statistics.segments == segments && faults(log) == found)
    }
    disk.clearFaults()
    try mend(log, Set(found.map(\.sequence)))
    #expect(faults(log) == [] && log.statistics.failure == nil)
    #expect(try open(disk).held.damage == [])
  }

  @Test("a spare that is gone is made anew when it is its turn")
  func goneSpare() throws {
    let (log, _) = try open(disk)
    try disk.remove(segment(2))
    try log.append([LogWrite(group: group(1), entries: Self.flushed)], sync: true)
    let (_, held) = try open(disk)
    #expect(held.damage == [] && held[1]?.entries == Self.flushed)
  }

  @Test("a segment that lost something before it was opened keeps saying so")
  func lost() throws {
    _ = try fill(disk)
    // A frame's header: nobody knows whose records it had.
    disk.flip(segment(2), at: 1030)
    let (log, held) = try open(disk)
    try #require(held.damage.contains { $0.mayHideGroups })
    #expect(try log.mend([2]) != [])
    for number in 1...4 as ClosedRange<UInt32> {
      try log.append([LogWrite(group: group(number), removed: true)], sync: true)
      try log.append([LogWrite(group: group(number), hardState: hardState(1))], sync: true)
    }
    #expect(try log.mend([2]) == [])
    #expect(disk.exists(segment(2) + ".damaged") && !disk.exists(segment(2) + ".mended"))
    #expect(try !open(disk).held.damage.isEmpty)
  }
}
