/// Runs seeds, several at a time if asked to, and sums up.
struct SeedRunner {
  private let options: SimulateOptions

  init(_ options: SimulateOptions) {
    self.options = options
  }

  /// What all runs did together.
  private struct Sum {
    var runs = 0
    var milliseconds: UInt64 = 0
    var events = 0
    var faults: [FaultKind: Int] = [:]
    var operations: [String: Int] = [:]
    var checks: [String: Int] = [:]

    mutating func add(_ report: TormentReport) {
      runs += 1
      milliseconds += report.milliseconds
      events += report.events
      faults.merge(report.faults) { $0 + $1 }
      operations.merge(report.operations) { $0 + $1 }
      checks.merge(report.checks) { $0 + $1 }
    }
  }

  /// The exit status: 0, or 1 if a seed failed.
  func run() async -> Int32 {
    let began = SimulateCommand.seconds
    print(
      "seeds \(options.seeds.lowerBound) to \(options.seeds.upperBound), \(options.nodes) nodes, profile \(options.profile.name), \(options.seconds) virtual seconds each"
    )
    var sum = Sum()
    var failed: [TormentReport] = []
    await withTaskGroup(of: TormentReport.self) { group in
      var next = options.seeds.lowerBound
      var left = options.seeds.count
      func start() {
        let isLate = options.budget.map { SimulateCommand.seconds - began >= $0 } ?? false
        guard left > 0, !isLate, failed.isEmpty || !options.stopsAtFailure else { return }
        let settings = options.settings(seed: next)
        (next, left) = (next &+ 1, left - 1)
        group.addTask { Torment.run(settings) }
      }
      for _ in 0..<options.jobs { start() }
      while let report = await group.next() {
        sum.add(report)
        if options.keepsTrace {
          for line in report.trace { print(line) }
          print("seed \(report.seed): trace hash \(String(report.traceHash, radix: 16)), \(report.events) events")
        }
        if !report.failures.isEmpty {
          failed.append(report)
          print("seed \(report.seed) FAILED: \(report.failures[0])")
        }
        start()
      }
    }
    summarize(sum, seconds: SimulateCommand.seconds - began)
    if !options.stopsAtFailure { for report in failed.sorted(by: { $0.seed < $1.seed }).prefix(3) { explain(report) } }
    let seeds = failed.map { "\($0.seed)" }.sorted().joined(separator: " ")
    print(failed.isEmpty ? "all \(sum.runs) seeds passed" : "\(failed.count) of \(sum.runs) seeds FAILED: \(seeds)")
    return failed.isEmpty ? 0 : 1
  }

  private func summarize(_ sum: Sum, seconds: Double) {
    let virtual = Double(sum.milliseconds) / 1000
    print(
      "ran \(sum.runs) seeds: \(Int(virtual)) virtual seconds in \(Int(seconds * 10) / 10) s, \(Int(virtual / max(seconds, 0.001))) times real time; \(sum.events) events"
    )
    print("faults: " + words(sum.faults.map { ($0.key.rawValue, $0.value) }))
    print("operations: " + words(sum.operations.map { ($0.key, $0.value) }))
    print("checks: " + words(sum.checks.map { ($0.key, $0.value) }))
  }

  private func words(_ counts: [(String, Int)]) -> String {
    counts.sorted { $0.0 < $1.0 }.map { "\($0.0) \($0.1)" }.joined(separator: "; ")
  }

  /// Looks for the fewest faults that still make the seed fail, and shows them, the end of the trace, and the line that
  /// repeats it.
  private func explain(_ report: TormentReport) {
    print("\nseed \(report.seed): \(report.failures.joined(separator: "\n  "))")
    let (kept, last) = Shrinking.shrink(options.settings(seed: report.seed), report)
    print("the faults that it takes:")
    for fault in last.plan where kept.contains(fault.number) { print("  \(fault.words)") }
    print("it then fails by: \(last.failures.first ?? "nothing")")
    print("its end:")
    let shown = last.trace.filter { !$0.contains(" to node ") || $0.contains("snapshot") }
    for line in shown.suffix(40) { print("  \(line)") }
    print("to repeat it: \(options.line(seed: report.seed, only: kept))")
    print("all of it:    \(options.line(seed: report.seed))")
  }
}
