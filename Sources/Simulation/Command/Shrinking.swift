/// Finds fewer faults by which a seed still fails.
enum Shrinking {
  /// The numbers of the faults that are left, and the run with them alone, with its trace. Tries for a minute at most.
  static func shrink(_ settings: TormentSettings, _ report: TormentReport) -> (kept: [Int], run: TormentReport) {
    let deadline = SimulateCommand.seconds + 60
    var kept = report.plan.map(\.number).filter { settings.only?.contains($0) ?? true }
    func fails(_ numbers: [Int]) -> Bool {
      var trial = settings
      trial.only = Set(numbers)
      trial.keepsTrace = false
      return !Torment.run(trial).failures.isEmpty
    }
    // Halves, quarters and so on are left out for as long as the rest fails (Zeller and Hildebrandt, "Simplifying and
    // isolating failure-inducing input", 2002).
    var size = max(1, kept.count / 2)
    while size >= 1 {
      var start = 0
      while start < kept.count, SimulateCommand.seconds < deadline {
        let rest = Array(kept[..<start] + kept[min(kept.count, start + size)...])
        if fails(rest) { kept = rest } else { start += size }
      }
      size /= 2
    }
    var last = settings
    last.only = Set(kept)
    last.keepsTrace = true
    return (kept, Torment.run(last))
  }
}
