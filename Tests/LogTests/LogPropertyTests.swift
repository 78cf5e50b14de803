import Bytes
import Environment
import Log
import Simulation
import Testing

@Suite("The shared log against a model")
struct LogPropertyTests {
  static let options = LogOptions(segmentBytes: .kibibytes(4), spareSegments: 2, identity: 7)

  @Test("Reopened at any time, it holds exactly what was appended", arguments: 1...40 as ClosedRange<UInt64>)
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
    disk.crash(seed: seed)
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
    arguments: 1...6 as ClosedRange<UInt64>)
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

  @Test("Crash upon crash, nothing acknowledged is lost", arguments: 1...60 as ClosedRange<UInt64>)
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
}
