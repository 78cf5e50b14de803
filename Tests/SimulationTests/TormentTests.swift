import Testing

@testable import Simulation

@Suite struct TormentTests {
  private func settings(_ seed: UInt64, _ profile: Profile, seconds: UInt64 = 12, nodes: Int = 3) -> TormentSettings {
    var settings = TormentSettings(seed: seed, nodes: nodes, profile: profile)
    settings.milliseconds = seconds * 1000
    return settings
  }

  @Test("the same seed gives the same history", arguments: [1, 2, 3] as [UInt64])
  func determinism(seed: UInt64) {
    let first = Torment.run(settings(seed, .standard))
    let second = Torment.run(settings(seed, .standard))
    #expect(first.traceHash == second.traceHash)
    #expect(first.events == second.events)
    #expect(first.events > 5_000)
    #expect(Torment.run(settings(seed + 100, .standard)).traceHash != first.traceHash)
  }

  @Test("every profile holds its promises for a few seeds", arguments: Profile.all)
  func profiles(profile: Profile) {
    for seed in 1...2 as ClosedRange<UInt64> {
      let report = Torment.run(settings(seed, profile))
      #expect(report.failures.isEmpty, "seed \(seed), profile \(profile.name): \(report.failures)")
      #expect(report.operations["put", default: 0] > 2 * profile.writesOnceWell - 15)
    }
  }

  @Test("clusters of one and five nodes", arguments: [1, 5])
  func sizes(nodes: Int) {
    let report = Torment.run(settings(7, .standard, nodes: nodes))
    #expect(report.failures.isEmpty, "\(nodes) nodes: \(report.failures)")
  }

  @Test("a fault can be left out without changing the others")
  func leavingOut() {
    let plan = FaultPlan.make(seed: 3, profile: .standard, milliseconds: 60_000)
    #expect(plan.count > 10)
    #expect(plan.map(\.number) == Array(0..<plan.count))
    var some = settings(3, .standard)
    some.only = []
    #expect(Torment.run(some).faults.isEmpty)
  }

  @Test("without faults next to nothing is unknown: leaderships find their places, and that is all")
  func calm() {
    let report = Torment.run(settings(1, .calm, seconds: 5))
    #expect(report.failures.isEmpty)
    let unknown = report.operations.filter { $0.key.contains("unknown") }.values.reduce(0, +)
    #expect(unknown < report.operations.values.reduce(0, +) / 100)
    #expect(report.checks["acknowledged writes found", default: 0] > 1_000)
  }
}
