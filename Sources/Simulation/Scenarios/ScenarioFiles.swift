import Environment

/// Scenarios in files: those in a folder `core` run on the consensus core, all others on a simulated cluster.
public enum ScenarioFiles {
  /// Runs one file; throws where it can't be read or does not go as it says.
  public static func run(_ path: String, trace: ((String) -> Void)? = nil) throws {
    let bytes = try PosixDisk().contents(of: path, limit: 1 << 20)
    let parts = path.split(separator: "/")
    let name = parts.last.map { String($0.prefix { $0 != "." }) } ?? path
    let scenario = Scenario(name: name, text: String(decoding: bytes, as: UTF8.self))
    if parts.dropLast().last == "core" {
      try CoreScenario.run(scenario)
    } else {
      try ClusterScenario.run(scenario, trace: trace)
    }
  }

  /// Runs files and says how each went; gives the exit status.
  static func run(_ arguments: ArraySlice<String>) -> Int32 {
    let keepsTrace = arguments.contains("--trace")
    var failed = 0
    for path in arguments where path != "--trace" {
      do {
        try run(path, trace: keepsTrace ? { print($0) } : nil)
        print("passed: \(path)")
      } catch {
        failed += 1
        print("FAILED: \(path): \(error)")
      }
    }
    return failed == 0 ? 0 : 1
  }
}
