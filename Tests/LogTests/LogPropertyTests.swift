import Bytes
import Environment
import Log
import Simulation
import Testing

@Suite("The shared log against a model")
struct LogPropertyTests {
  static let options = LogOptions(segmentBytes: .kibibytes(4), spareSegments: 2, identity: 7)

  @Test("Reopened at any time, it holds exactly what was appended", arguments: 1...16 as ClosedRange<UInt64>)
  func reopen(seed: UInt64) throws {
    let disk = SimulatedDisk()
    var script = LogScript(seed: seed)
    for round in 0..<6 {
      let (log, recovered) = try SharedLog.open(disk: disk, directory: "log", options: Self.options)
      #expect(recovered.damage == [], "seed \(seed) round \(round)")
      #expect(LogModel(recovered) == script.model, "seed \(seed) round \(round)")
      for number in 0..<30 { try log.append(script.batch().writes, sync: number % 3 != 0) }
      script = LogScript(random: script.random, model: script.model)
    }
  }

  /// Appends batches until the disk fails, and gives what was surely durable then, and all that may be.
  private func run(
    _ log: SharedLog, _ script: inout LogScript, batches: Int, from start: LogModel
  ) -> (durable: LogModel, possible: [LogModel]) {
    var durable = start
    var possible: [LogModel] = [start]
    for number in 0..<batches {
      let sync = number % 3 != 0
      let (writes, states) = script.batch()
      possible += states
      do {
        try log.append(writes, sync: sync)
        // As a worker does it beside the log, so that a crash hits each of its steps too.
        if number % 2 == 0, let spare = log.beginSpare() { try log.endSpare(isMade: (try? spare.make()) != nil) }
        if sync {
          durable = script.model
          possible = [script.model]
        }
      } catch {
        break
      }
    }
    return (durable, possible)
  }

  @Test(
    "After a crash at any step of appending, rolling and reclaiming, it holds all that was acknowledged and nothing else",
    arguments: 1...3 as ClosedRange<UInt64>)
  func crashAtEveryStep(seed: UInt64) throws {
    let reference = SimulatedDisk()
    let batches = 40
    var counting = LogScript(seed: seed)
    let (log, _) = try SharedLog.open(disk: reference, directory: "log", options: Self.options)
    _ = run(log, &counting, batches: batches, from: LogModel())
    for step in 0..<reference.steps {
      let disk = SimulatedDisk()
      disk.powerOff(afterSteps: step)
      var script = LogScript(seed: seed)
      var possible = [LogModel()]
      if let (log, _) = try? SharedLog.open(disk: disk, directory: "log", options: Self.options) {
        possible = run(log, &script, batches: batches, from: LogModel()).possible
      }
      disk.crash(seed: seed &* 1_000_003 &+ UInt64(step))
      let held = try check(disk, possible, "seed \(seed) step \(step)")
      // It goes on from there.
      var next = LogScript(random: script.random, model: held)
      let (again, _) = try SharedLog.open(disk: disk, directory: "log", options: Self.options)
      let after = run(again, &next, batches: 4, from: held).possible
      disk.crash(seed: seed &+ UInt64(step))
      _ = try check(disk, after, "seed \(seed) step \(step), second crash")
    }
  }

  private func check(_ disk: SimulatedDisk, _ possible: [LogModel], _ place: String) throws -> LogModel {
    let (_, recovered) = try SharedLog.open(disk: disk, directory: "log", options: Self.options)
    #expect(recovered.damage == [], "\(place)")
    let held = try #require(LogModel(recovered), "\(place)")
    #expect(possible.contains { $0 == held }, "\(place)")
    return held
  }

  @Test("Crash upon crash, nothing acknowledged is lost", arguments: 1...30 as ClosedRange<UInt64>)
  func crashes(seed: UInt64) throws {
    let disk = SimulatedDisk()
    var random = SplitMix64(seed: seed)
    var possible = [LogModel()]
    for round in 0..<12 {
      // The first attempt to open may itself be cut short.
      if Bool.random(using: &random) {
        disk.powerOff(afterSteps: Int.random(in: 0..<12, using: &random))
        _ = try? SharedLog.open(disk: disk, directory: "log", options: Self.options)
        disk.crash(seed: random.next())
      }
      let (log, recovered) = try SharedLog.open(disk: disk, directory: "log", options: Self.options)
      let place = "seed \(seed) round \(round)"
      #expect(recovered.damage == [], "\(place)")
      let held = try #require(LogModel(recovered), "\(place)")
      #expect(possible.contains { $0 == held }, "\(place)")
      var script = LogScript(random: random, model: held)
      script.longestPayload = round % 4 == 3 ? 3000 : 200
      disk.powerOff(afterSteps: Int.random(in: 0..<80, using: &random))
      possible = run(log, &script, batches: 40, from: held).possible
      disk.crash(seed: random.next())
    }
  }

  @Test(
    "Whatever is done to the files, it opens or says which is misplaced, invents nothing, and takes new writes",
    arguments: 1...150 as ClosedRange<UInt64>)
  func vandalism(seed: UInt64) throws {
    let disk = SimulatedDisk()
    var script = LogScript(seed: seed)
    var written: Set<[UInt64]> = []
    let (log, _) = try SharedLog.open(disk: disk, directory: "log", options: Self.options)
    for _ in 0..<30 {
      let writes = script.batch().writes
      for write in writes { written.formUnion(write.entries.map { Self.fingerprint(write.group, $0) }) }
      try log.append(writes, sync: true)
    }
    for _ in 0..<Int.random(in: 1...8, using: &script.random) { try vandalize(disk, &script.random) }
    let other = LogOptions(segmentBytes: .kibibytes(4), spareSegments: 2, identity: seed << 8)
    guard let (again, held) = try openUnlessMisplaced(disk, other) else { return }
    for (id, group) in held.groups {
      #expect(group.entries.allSatisfy { written.contains(Self.fingerprint(id, $0)) }, "seed \(seed)")
    }
    let state = StoredHardState(term: Term(rawValue: 99))
    let reset = LogPoint(index: LogIndex(rawValue: 1_000), term: Term(rawValue: 98))
    try again.append([LogWrite(group: GroupID(rawValue: 1), hardState: state, reset: reset)], sync: true)
    let (_, last) = try SharedLog.open(disk: disk, directory: "log", options: Self.options)
    let healed = last.groups.first { $0.0.rawValue == 1 }?.1
    #expect(healed?.health == .intact && healed?.hardState == state && healed?.reset == reset, "seed \(seed)")
  }

  private func openUnlessMisplaced(_ disk: SimulatedDisk, _ options: LogOptions) throws -> (SharedLog, RecoveredLog)? {
    do {
      return try SharedLog.open(disk: disk, directory: "log", options: options)
    } catch {
      guard case .misplaced = error else { throw error }
      return nil
    }
  }

  private static func fingerprint(_ group: GroupID, _ entry: LogEntry) -> [UInt64] {
    [UInt64(group.rawValue), entry.index.rawValue, entry.term.rawValue, UInt64(CRC32C.checksum(entry.payload))]
  }

  /// Cuts a file, removes it, gives it another's name, overwrites a part with noise or with another part.
  private func vandalize(_ disk: SimulatedDisk, _ random: inout SplitMix64) throws {
    let names = try disk.list("log").map { "log/" + $0 }
    guard let path = names.randomElement(using: &random), let other = names.randomElement(using: &random) else {
      return
    }
    let file = try disk.open(path, .readWrite)
    let size = try file.size()
    let place = UInt64.random(in: 0...size, using: &random)
    switch Int.random(in: 0..<10, using: &random) {
    case 0: try file.truncate(to: place)
    case 1: try disk.remove(path)
    case 2: try disk.rename(path, to: other)
    case 3, 4: try file.write(try file.read(at: place / 16 * 8, count: 200), at: place / 8 * 8)
    case 5: try file.write([UInt8](repeating: 0, count: 512), at: place / 512 * 512)
    default: try file.write((0..<8).map { _ in UInt8.random(in: 0 ... .max, using: &random) }, at: place)
    }
  }
}
