import Bytes
import Node
import Wire

/// One cluster for a long time, clients and faults in stages, each of which ends as a run does: faults over, all well,
/// everything checked. Then the stage's keys are deleted, and what is left is measured: what a node keeps on its disk, in
/// how many files, and what the process takes in memory must come to rest.
final class Soak {
  /// What there was at the end of a stage.
  struct Measure {
    /// The bytes of the fullest disk.
    var diskBytes = 0
    /// The files on the disk that has most.
    var files = 0
    /// What the process has in memory.
    var residentBytes = 0
  }

  private let options: SimulateOptions
  private let world: SimulatedWorld
  private var measures: [Measure] = []
  private var operations = 0
  private var faults = 0

  /// Carries out what the command line of a soak asks for; gives the exit status.
  static func run(_ options: SimulateOptions) -> Int32 {
    let failures: [String]
    do {
      let soak = try Soak(options)
      let failed = soak.live { print($0) }
      failures = failed.isEmpty ? growth(soak.measures) : failed
    } catch {
      failures = ["the world can't be set up: \(error)"]
    }
    for failure in failures { print("FAILED: \(failure)") }
    return failures.isEmpty ? 0 : 1
  }

  private init(_ options: SimulateOptions) throws {
    self.options = options
    world = try Torment.makeWorld(options.settings(seed: options.seeds.lowerBound))
  }

  /// How long versions are kept: the checks at the end of a stage read all that was written in it.
  private var keepMilliseconds: UInt64 { options.seconds * 1_000 + 3 * Torment.recoveryMilliseconds }

  /// Lives through the stages; gives what went wrong.
  private func live(_ say: (String) -> Void) -> [String] {
    var applied: [GroupID: LogIndex] = [:]
    for stage in 0..<(options.stages ?? 1) {
      let torment = Torment(stageSettings(stage), in: world, after: applied)
      if stage == 0 {
        do { try torment.gather() } catch { return ["the world can't be set up: \(error)"] }
        for host in world.hosts.values { host.node.keepVersions(milliseconds: keepMilliseconds) }
      }
      let report = torment.run()
      guard report.failures.isEmpty else { return report.failures.map { "stage \(stage + 1): \($0)" } }
      if let failure = clear(torment.record.keys) { return ["stage \(stage + 1): \(failure)"] }
      applied = torment.record.lastSeen
      operations += report.operations.values.reduce(0, +)
      faults += report.faults.values.reduce(0, +)
      measures.append(measure())
      say(line(stage))
    }
    return []
  }

  private func stageSettings(_ stage: Int) -> TormentSettings {
    var stageSettings = options.settings(seed: SplitMix64.mix(options.seeds.lowerBound &+ UInt64(stage)))
    stageSettings.keyPrefix = "stage\(stage + 1).key"
    return stageSettings
  }

  /// Deletes a stage's keys; gives why one can't be.
  private func clear(_ keys: [[UInt8]]) -> String? {
    let session = Requests.session(client: 0, wallMilliseconds: world.clock.wallMilliseconds)
    for (number, key) in keys.enumerated() {
      let request = Requests.make(
        .write(value: nil, condition: .none), key: key, session: session, sequence: UInt64(number + 1),
        isEventual: false)
      guard case .write? = world.ask(request) else { return "\(String(decoding: key, as: UTF8.self)) can't be deleted" }
    }
    return world.settle(milliseconds: Torment.recoveryMilliseconds)
  }

  private func measure() -> Measure {
    var measure = Measure()
    for host in world.hosts.values {
      let files = host.disk.files(under: SimulatedWorld.directory)
      measure.diskBytes = max(measure.diskBytes, files.reduce(0) { $0 + $1.bytes })
      measure.files = max(measure.files, files.count)
    }
    measure.residentBytes = SimulateCommand.residentBytes
    return measure
  }

  private func line(_ stage: Int) -> String {
    let measure = measures[stage]
    return "stage \(stage + 1): \(operations) operations, \(faults) faults so far; \(measure.diskBytes >> 10) KiB in "
      + "\(measure.files) files on a disk, \(measure.residentBytes >> 20) MiB in memory"
  }

  /// What grew over a row of measures, at least four: the most in its last quarter held against the most in its second.
  static func growth(_ measures: [Measure]) -> [String] {
    guard measures.count >= 4 else { return [] }
    let quarter = measures.count / 4
    let (before, after) = (measures[quarter..<2 * quarter], measures[(measures.count - quarter)...])
    func check(_ name: String, slack: Int, _ value: (Measure) -> Int) -> String? {
      let (earlier, later) = (before.map(value).max() ?? 0, after.map(value).max() ?? 0)
      return later > earlier + earlier / 5 + slack ? "\(name) grew from \(earlier) to \(later)" : nil
    }
    return [
      check("bytes on disk", slack: 1 << 20) { $0.diskBytes }, check("files", slack: 16) { $0.files },
      check("bytes in memory", slack: 16 << 20) { $0.residentBytes },
    ].compactMap { $0 }
  }
}
