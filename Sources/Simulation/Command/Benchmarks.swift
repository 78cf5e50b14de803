/// Measurements of the simulator, of the consensus core and of the oracle.
enum Benchmarks {
  /// Runs one by name; gives the exit status.
  static func run(_ name: String) -> Int32 {
    switch name {
    case "cluster": cluster()
    case "core": CoreBenchmark.run()
    case "oracle": return OracleBenchmark.run()
    default: return SimulateCommand.refuse("there is no benchmark \(name)")
    }
    return 0
  }

  /// How much faster than real time a cluster of three nodes is simulated, on one core: under the clients that every
  /// profile has, and under as many requests as they make when they hardly pause.
  private static func cluster() {
    cluster("cluster", Profile.standard)
    cluster("cluster-busy", .calm)
  }

  private static func cluster(_ workload: String, _ profile: Profile) {
    var settings = TormentSettings(seed: 1, nodes: 3, profile: profile)
    settings.milliseconds = 60_000
    settings.only = []
    let began = SimulateCommand.processorSeconds
    let report = Torment.run(settings)
    let seconds = SimulateCommand.processorSeconds - began
    let operations = report.operations.values.reduce(0, +)
    let virtual = Double(report.milliseconds) / 1000
    print(
      "{\"workload\":\"\(workload)\",\"nodes\":3,\"virtual_seconds\":\(virtual),\"cpu_seconds\":\(seconds),\"times_real_time\":\(virtual / seconds),\"ops\":\(operations),\"events\":\(report.events)}"
    )
    for failure in report.failures { print("FAILED: \(failure)") }
  }
}
