import Bytes
import Environment
import Log
import Simulation
import Testing

@Suite("Reading the shared log while it is in use")
struct LogScrubTests {
  private let disk = SimulatedDisk()

  private func scrub(_ extent: LogExtent) -> [LogFault] {
    let scrub = LogScrub(extent)
    while scrub.advance() {}
    return scrub.faults
  }

  private func faults(_ log: SharedLog) -> [LogFault] { scrub(log.extent).filter { log.isLive($0.sequence) } }

  @Test(
    "whatever was appended, rolled, reclaimed and reopened, nothing is wrong", arguments: 1...16 as ClosedRange<UInt64>)
  func sound(seed: UInt64) throws {
    var script = LogScript(seed: seed)
    for round in 0..<4 {
      let (log, _) = try open(disk)
      #expect(faults(log) == [], "seed \(seed) round \(round)")
      for number in 0..<40 {
        // Of one that is read while the log goes on the same holds.
        let before = log.extent
        try log.append(script.batch().writes, sync: number % 3 != 0)
        if number % 5 == 0 { log.settle() }
        #expect(faults(log) == [], "seed \(seed) round \(round) batch \(number)")
        #expect(scrub(before).filter { log.isLive($0.sequence) } == [], "seed \(seed) round \(round) batch \(number)")
      }
      script = LogScript(random: script.random, model: script.model)
    }
  }

  /// A log of several segments and groups.
  private func fill() throws -> SharedLog {
    let (log, _) = try open(disk)
    for number in 0..<4 as Range<UInt64> {
      let part = entries(3 * number + 1...3 * number + 3, bytes: 500)
      try log.append([LogWrite(group: group(1), hardState: hardState(1, vote: 3), entries: part)], sync: true)
      let other = number == 0 ? entries(1...2, bytes: 300) : []
      try log.append([LogWrite(group: group(2), hardState: hardState(number + 1), entries: other)], sync: true)
    }
    try log.append([LogWrite(group: group(3), entries: entries(1...1))], sync: true)
    log.settle()
    return log
  }

  @Test("what would be lost at the next start is found before, in each byte: the file, the place and the groups")
  func everyByte() throws {
    let (harmed, needlessly) = try harmEveryByte(of: try fill())
    #expect(harmed > 3_000 && needlessly == 0)
  }

  @Test("so it is where segments were let go, and the state of groups was written anew or received")
  func everyByteBehindCheckpoints() throws {
    let log = try fill()
    try log.append(
      [
        LogWrite(group: group(1), compactedThrough: index(12)),
        LogWrite(group: group(2), reset: LogPoint(index: index(20), term: Term(rawValue: 1))),
        LogWrite(group: group(3), compactedThrough: index(1)),
      ], sync: true)
    try #require(!log.isLive(1))
    for number in 0..<6 as Range<UInt64> {
      let part = entries(2 * number + 13...2 * number + 14, bytes: 300)
      let other = entries(number + 21...number + 21, bytes: 200)
      let states = [hardState(1, vote: 3), hardState(number + 9, vote: 2)]
      try log.append([LogWrite(group: group(1), hardState: states[0], entries: part)], sync: true)
      try log.append([LogWrite(group: group(2), hardState: states[1], entries: other)], sync: true)
    }
    let point = LogPoint(index: index(40), term: Term(rawValue: 30))
    try log.append([LogWrite(group: group(2), entries: entries(41...41, term: 30), reset: point)], sync: true)
    try log.append([LogWrite(group: group(2), hardState: hardState(31))], sync: true)
    try log.append([LogWrite(group: group(3), hardState: hardState(2))], sync: true)
    log.settle()
    // What is said anew behind bytes that nobody can read, in the same segment, may be missed there all the same.
    let (harmed, needlessly) = try harmEveryByte(of: log)
    #expect(harmed > 2_000 && needlessly < harmed / 4, "\(harmed), \(needlessly)")
  }

  /// Flips a bit of each byte of a log in turn, and holds what is found against what is lost at the next start; gives how
  /// often something was, and how often a group was named that lost nothing.
  private func harmEveryByte(of log: SharedLog) throws -> (harmed: Int, needlessly: Int) {
    let extent = log.extent
    var (harmed, needlessly) = (0, 0)
    for path in try disk.list("log").map({ "log/" + $0 }) {
      for at in 0..<(try disk.contents(of: path, limit: 1 << 20).count) {
        disk.flip(path, at: at, mask: 1 << UInt8(at % 8))
        defer { disk.flip(path, at: at, mask: 1 << UInt8(at % 8)) }
        let found = scrub(extent)
        let lost = try open(disk.clone()).held
        let named = found.filter { $0.path == path && $0.offset <= at }.reduce(into: Set()) { $0.formUnion($1.groups) }
        let damaged = Set(lost.groups.filter { $0.1.health == .damaged }.map(\.0))
        #expect(named.isSuperset(of: damaged), "\(path) byte \(at): \(found), not \(damaged)")
        // Those of which nothing is left are not known then.
        let intact = Set(lost.groups.filter { $0.1.health == .intact }.map(\.0))
        needlessly += named.isDisjoint(with: intact) ? 0 : 1
        harmed += named.isEmpty ? 0 : 1
      }
    }
    #expect(scrub(extent) == [])
    return (harmed, needlessly)
  }

  @Test("a segment that is gone, cut off or unreadable is named")
  func gone() throws {
    let log = try fill()
    let content = try disk.contents(of: segment(1), limit: 1 << 20)
    try disk.remove(segment(1))
    #expect(faults(log).first?.words == "the file is gone")
    try disk.replace(segment(1), with: Array(content.prefix(2000)))
    let fault = try #require(faults(log).first)
    #expect(fault.path == segment(1) && fault.offset <= 2000 && fault.words.contains("the end of the file"))
    try disk.replace(segment(1), with: content)
    disk.inject(DiskFault(times: nil) { $0.kind == .read && $0.path == segment(1) })
    #expect(faults(log).contains { $0.path == segment(1) })
    disk.clearFaults()
    #expect(faults(log) == [])
  }

  @Test("what no group needs any more is no loss")
  func needless() throws {
    let log = try fill()
    let place = try offset(of: entries(1...3, bytes: 500)[0].payload, in: segment(1), on: disk)
    disk.flip(segment(1), at: place)
    #expect(faults(log).map(\.groups) == [[group(1)]])
    try log.append([LogWrite(group: group(1), compactedThrough: index(3))], sync: true)
    #expect(faults(log) == [])
    // Nor what another replica has taken the place of, whatever of it was lost.
    for at in stride(from: 1030, to: 3_000, by: 100) { disk.flip(segment(1), at: at) }
    #expect(!faults(log).isEmpty)
    for number in 1...3 as ClosedRange<UInt32> {
      try log.append([LogWrite(group: group(number), removed: true)], sync: true)
      try log.append([LogWrite(group: group(number), hardState: hardState(9), entries: entries(1...1))], sync: true)
    }
    #expect(faults(log) == [])
  }
}
