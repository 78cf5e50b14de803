import Glibc

/// The program `simulate`: runs seeds, says what happened in them, and repeats the one that failed.
public enum SimulateCommand {
  static let usage = """
    usage: simulate [--seeds A[..B]] [--nodes N] [--profile NAME] [--seconds S] [--jobs N] [--budget S] [--trace]
                    [--only 3,7,…] [--first-failure]
           simulate bench core|cluster
           simulate scenario FILE…
           simulate profiles

    Runs a cluster of N real nodes (3) for S virtual seconds (60) under the faults of a profile (default), once for each
    seed, and checks what clients saw. --budget ends after so many real seconds. --only keeps the planned faults of these
    numbers. --first-failure ends with the first seed that fails, and does not look for the fewest faults. Exits with 1 if a seed failed, 64 for a wrong command line.
    """

  /// Carries out the command line and exits.
  public static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch arguments.first {
    case "bench"? where arguments.count == 2: exit(Benchmarks.run(arguments[1]))
    case "scenario"?: exit(ScenarioFiles.run(arguments.dropFirst()))
    case "profiles"?:
      for profile in Profile.all { print("\(profile.name): \(profile.summary)") }
    default:
      switch SimulateOptions.parse(arguments) {
      case .failure(let error):
        complain("simulate: \(error.words)\n\(usage)\n")
        exit(64)
      case .success(let options):
        exit(await SeedRunner(options).run())
      }
    }
  }

  /// Writes to the standard error output.
  static func complain(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }

  /// The real time in seconds, for measurements and budgets alone.
  static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// The processor time of this process in seconds.
  static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
