import Bytes
import Node

/// What a run is made of.
public struct TormentSettings: Sendable {
  /// From which everything is drawn.
  public var seed: UInt64
  /// How many nodes the cluster has at the start.
  public var nodes: Int
  /// Which faults there are.
  public var profile: Profile
  /// How long clients work under faults, in virtual milliseconds.
  public var milliseconds: UInt64 = 60_000
  /// Only these of the planned faults happen; nil: all.
  public var only: Set<Int>?
  /// Whether the trace is kept in words.
  public var keepsTrace = false
  /// The number of clients.
  public var clients = 10
  /// The number of keys; few, so that clients get into each other's way.
  public var keys = 12
  /// What the keys begin with.
  var keyPrefix = "key"

  /// A run with the usual size.
  public init(seed: UInt64, nodes: Int, profile: Profile) {
    self.seed = seed
    self.nodes = nodes
    self.profile = profile
  }
}

/// What came of a run.
public struct TormentReport: Sendable {
  public let seed: UInt64
  /// What went wrong; empty: nothing.
  public var failures: [String] = []
  /// How often each fault happened.
  public var faults: [FaultKind: Int] = [:]
  /// The faults that were planned.
  public var plan: [PlannedFault] = []
  /// The clients' requests by what came of them.
  public var operations: [String: Int] = [:]
  /// How many facts were checked, by kind.
  public var checks: [String: Int] = [:]
  /// A number that stands for the whole history.
  public var traceHash: UInt64 = 0
  public var events = 0
  /// The virtual time that passed, in milliseconds.
  public var milliseconds: UInt64 = 0
  /// The trace in words, if it was kept.
  public var trace: [String] = []
}

/// One run: a cluster, clients and faults, then an end to the faults, after which all must become well; then the checks.
public final class Torment {
  private let settings: TormentSettings
  private let world: SimulatedWorld
  let record: RunRecord
  private var report: TormentReport
  private var clients: [TormentClient] = []
  private var watchers: [TormentWatcher] = []

  /// The longest that a cluster may take to become well once all faults are over, in virtual milliseconds.
  static let recoveryMilliseconds: UInt64 = 60_000
  /// More than this in any queue is taken for growth without bound.
  static let queueBound = 1_000

  /// Carries out a run in a world of its own.
  public static func run(_ settings: TormentSettings) -> TormentReport {
    do {
      let torment = Torment(settings, in: try makeWorld(settings))
      try torment.gather()
      return torment.run()
    } catch {
      var report = TormentReport(seed: settings.seed)
      report.failures = ["the world can't be set up: \(error)"]
      return report
    }
  }

  /// A world with the first of the nodes.
  static func makeWorld(_ settings: TormentSettings) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: settings.seed, partitions: 4, options: options)
    world.trace.keepsWords = settings.keepsTrace
    return world
  }

  /// A run in a world in which, up to these entries, all that its nodes apply is of earlier runs.
  init(_ settings: TormentSettings, in world: SimulatedWorld, after applied: [GroupID: LogIndex] = [:]) {
    self.settings = settings
    self.world = world
    record = RunRecord(keys: settings.keys, prefix: settings.keyPrefix, after: applied)
    report = TormentReport(seed: settings.seed)
    world.onApply = { [record] node, group, entry in record.applied(entry, of: group, on: node) }
    let mayHaveDamage = settings.profile.sparesNoDisk || settings.profile.shares.contains { $0.kind == .readError }
    world.onCheck = { [record] in record.checked($0, mayHaveDamage: mayHaveDamage) }
  }

  /// Everything small: segments end, memtables are flushed, followers fall behind the log within seconds.
  static var options: NodeOptions {
    var options = NodeOptions()
    options.log = .init(segmentBytes: .kibibytes(128), spareSegments: 2, identity: 0x10)
    options.store.memtableBytes = 24 << 10
    options.store.levelBaseBytes = 128 << 10
    options.store.targetFileBytes = 64 << 10
    options.store.historyBufferBytes = 64 << 10
    options.store.historyRunBytes = 4 << 10
    options.store.settledRunBytes = 32 << 10
    options.logBudget = .kibibytes(1024)
    options.keptLogBytes = 32 << 10
    options.checkMilliseconds = 8_000
    options.sumCheckMilliseconds = 3_000
    return options
  }

  /// Lets the other nodes join, until all is well.
  func gather() throws {
    for _ in 1..<max(1, settings.nodes) { _ = try world.join() }
    if let ailment = world.settle(milliseconds: 60_000) {
      throw SimulationError.refused("not well at the start: \(ailment)")
    }
  }

  /// Carries it out in a world that is well, and is so again afterwards unless something failed.
  func run() -> TormentReport {
    let plan = FaultPlan.make(seed: settings.seed, profile: settings.profile, milliseconds: settings.milliseconds)
    report.plan = plan
    let nemesis = Nemesis(
      world: world, plan: plan.filter { settings.only?.contains($0.number) ?? true }, profile: settings.profile,
      seed: settings.seed)
    startClients()
    world.run(milliseconds: settings.milliseconds) { !record.failures.isEmpty }
    if record.failures.isEmpty {
      nemesis.endFaults()
      recover(nemesis)
    }
    finish(nemesis)
    return report
  }

  private func startClients() {
    clients = (1...settings.clients).map {
      TormentClient(
        number: $0, world: world, record: record, profile: settings.profile, seed: settings.seed)
    }
    for client in clients { client.next() }
    watchers = (1...2).map { TormentWatcher(number: $0, world: world, seed: settings.seed) }
    for watcher in watchers { watcher.next() }
  }

  /// The liveness phase: with all faults over, clients get on, and the cluster becomes well.
  private func recover(_ nemesis: Nemesis) {
    let away = Set(nemesis.fenced.keys)
    if !settings.profile.sparesNoDisk {
      for (node, reason) in nemesis.fenced.sorted(by: { $0.key < $1.key }) {
        record.fail("node \(node) does not start any more: \(reason)")
      }
      // A replica that is replaced costs no write; but nothing has harmed what its node had synced.
      for loss in nemesis.losses { record.fail("a disk that was not harmed: \(loss)") }
    }
    let wanted = record.versions.count + settings.profile.writesOnceWell
    let isServing = world.run(milliseconds: Torment.recoveryMilliseconds) { record.versions.count >= wanted }
    if !isServing {
      record.fail("clients don't get on: \(wanted - record.versions.count) writes are missing since the faults ended")
    }
    for client in clients { client.isStopping = true }
    for watcher in watchers { watcher.isStopping = true }
    world.run(milliseconds: 30_000) { clients.allSatisfy { !$0.isBusy } && watchers.allSatisfy { !$0.isBusy } }
    if clients.contains(where: \.isBusy) { record.fail("a client waits for ever") }
    let isDiminished = settings.profile.sparesNoDisk
    let ailment = world.settle(milliseconds: Torment.recoveryMilliseconds, unless: away, isDiminished: isDiminished)
    if let ailment {
      record.fail("not well \(Torment.recoveryMilliseconds / 1000) s after the last fault: \(ailment)")
    }
    EndCheck(world: world, record: record, mayHaveDamage: settings.profile.sparesNoDisk).run(&report)
  }

  private func finish(_ nemesis: Nemesis) {
    if record.failures.isEmpty {
      var check = RecordCheck(record)
      check.run()
      report.checks.merge(check.counts) { $0 + $1 }
      report.checks["changes watched"] = WatchCheck.run(watchers.flatMap(\.spans), record)
    }
    report.checks["applied entries compared", default: 0] += record.entries
    for (outcome, count) in record.checked { report.checks["replicas checked under load, \(outcome)"] = count }
    for host in world.hosts.values.sorted(by: { $0.id < $1.id }) {
      for (name, length) in host.longestQueues.sorted(by: { $0.key < $1.key }) where length > Torment.queueBound {
        record.fail("node \(host.id) had \(length) \(name) waiting")
      }
    }
    report.failures = record.failures
    report.faults = nemesis.counts
    for operation in record.operations { report.operations[operation.kind, default: 0] += 1 }
    report.operations["range", default: 0] += record.ranges.count
    report.operations["eventual get", default: 0] += record.glimpses.count
    report.traceHash = world.trace.hash
    report.events = world.trace.events
    report.milliseconds = world.time / 1_000_000
    report.trace = world.trace.lines
  }
}

extension Operation {
  /// What it was and how it ended, for counts.
  var kind: String {
    let what =
      switch intent {
      case .write(let value, let condition): value == nil ? "delete" : condition == .none ? "put" : "conditional put"
      case .read: "get"
      case .readAt: "get at a version"
      }
    switch outcome {
    case .unknown: return what + ", unknown"
    case .notDone: return what + ", not done"
    default: return what
    }
  }
}
