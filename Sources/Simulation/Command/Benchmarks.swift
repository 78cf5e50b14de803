/// Measurements of the simulator and of the consensus core.
enum Benchmarks {
  /// Runs one by name; gives the exit status.
  static func run(_ name: String) -> Int32 {
    switch name {
    case "cluster": cluster()
    case "core": CoreBenchmark.run()
    default:
      SimulateCommand.complain("simulate: there is no benchmark \(name)\n")
      return 64
    }
    return 0
  }

  /// How much faster than real time a cluster of three nodes under load is simulated, on one core.
  private static func cluster() {
    var settings = TormentSettings(seed: 1, nodes: 3, profile: .calm)
    settings.milliseconds = 60_000
    let began = SimulateCommand.processorSeconds
    let report = Torment.run(settings)
    let seconds = SimulateCommand.processorSeconds - began
    let operations = report.operations.values.reduce(0, +)
    print(
      "{\"workload\":\"cluster\",\"nodes\":3,\"virtual_seconds\":\(Double(report.milliseconds) / 1000),\"cpu_seconds\":\(seconds),\"times_real_time\":\(Double(report.milliseconds) / 1000 / seconds),\"ops\":\(operations),\"events\":\(report.events)}"
    )
    for failure in report.failures { print("FAILED: \(failure)") }
  }
}
