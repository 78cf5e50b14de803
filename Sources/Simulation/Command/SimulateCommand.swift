import Environment
import Glibc

/// The program `simulate`: runs seeds, says what happened in them, and repeats the one that failed.
public enum SimulateCommand {
  static let usage = """
    usage: simulate [--seeds A[..B]] [--nodes N] [--profile NAME] [--seconds S] [--jobs N] [--budget S] [--trace]
                    [--only 3,7,…] [--first-failure]
           simulate soak [--seeds A] [--nodes N] [--profile NAME] [--stages N] [--seconds S]
           simulate bench core|cluster|oracle
           simulate scenario FILE… [--trace]
           simulate profiles

    Runs a cluster of N real nodes (3) for S virtual seconds (60) under the faults of a profile (default), once for each
    seed, and checks what clients saw. --budget ends after so many real seconds. --only keeps the planned faults of these
    numbers. --first-failure ends with the first seed that fails, and does not look for the fewest faults. Exits with 1
    if a seed failed, 64 for a wrong command line.

    soak keeps one cluster going for a day, or for N stages of S virtual seconds (24 of 3600), checks everything at the
    end of each, and fails as well if disks or memory hold more in the last quarter than in the second.
    """

  /// Carries out the command line and exits.
  public static func main() async {
    exit(await run(Array(CommandLine.arguments.dropFirst())))
  }

  /// Carries out a command line; gives the exit status.
  static func run(_ arguments: [String]) async -> Int32 {
    guard !arguments.contains(where: ["--help", "-h"].contains) else {
      print(usage)
      return 0
    }
    let rest = arguments.dropFirst()
    switch arguments.first {
    case "soak"?:
      switch SimulateOptions.parse(Array(rest), over: .soak) {
      case .failure(let error): return refuse(error.words)
      case .success(let options): return Soak.run(options)
      }
    case "bench"?:
      guard let name = rest.first, rest.count == 1 else { return refuse("bench wants core or cluster") }
      return Benchmarks.run(name)
    case "scenario"?:
      guard rest.contains(where: { $0 != "--trace" }) else { return refuse("scenario wants files") }
      return ScenarioFiles.run(rest)
    case "profiles"?:
      guard rest.isEmpty else { return refuse("profiles wants nothing more") }
      for profile in Profile.all { print("\(profile.name): \(profile.summary)") }
      return 0
    case let word? where !word.hasPrefix("-"):
      return refuse("there is no command \(word)")
    default:
      switch SimulateOptions.parse(arguments) {
      case .failure(let error): return refuse(error.words)
      case .success(let options): return await SeedRunner(options).run()
      }
    }
  }

  /// Says what is wrong with a command line; gives the exit status for that.
  static func refuse(_ words: String) -> Int32 {
    let bytes = Array("simulate: \(words)\n\(usage)\n".utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    return 64
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

  /// The memory of this process in bytes (proc(5), statm).
  static var residentBytes: Int {
    guard let text = try? PosixDisk().open("/proc/self/statm", .read).read(at: 0, count: 200) else { return 0 }
    let pages = String(decoding: text, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return (pages ?? 0) * 4096
  }
}
