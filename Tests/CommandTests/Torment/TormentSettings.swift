import FoundationEssentials

@testable import Commands

/// What the environment says about the tests with real processes.
///
/// Without it they are as short as a build can bear. `KV_TORMENT_SECONDS=60` gives their full length: writing for that
/// long with a kill every sixth of it, a freeze and a port scan of a third of it each.
enum TormentSettings {
  /// The program under test: `KV_PROGRAM`, else the binary that was built with the tests.
  static let program: String =
    ProcessFacts.environment["KV_PROGRAM"].map { URL(filePath: $0).absoluteURL.path }
    ?? URL(filePath: ChildProcess.thisProgram).deletingLastPathComponent().appending(path: "kv").path

  /// How long the kill test writes, in milliseconds.
  static var writeMilliseconds: UInt64 { seconds.map { $0 * 1000 } ?? 20_000 }
  /// The time from one kill to the next, in milliseconds.
  static var killMilliseconds: UInt64 { seconds.map { $0 * 1000 / 6 } ?? 5000 }
  /// How long each node is frozen, in milliseconds.
  static var freezeMilliseconds: UInt64 { seconds.map { $0 * 1000 / 3 } ?? 6000 }
  /// How long the port scan lasts, in milliseconds.
  static var scanMilliseconds: UInt64 { seconds.map { $0 * 1000 / 3 } ?? 5000 }

  /// How long links between nodes carry nothing at a time, in milliseconds.
  static var partitionMilliseconds: UInt64 { seconds.map { $0 * 1000 / 12 } ?? 2000 }

  private static var seconds: UInt64? {
    ProcessFacts.environment["KV_TORMENT_SECONDS"].flatMap { UInt64($0) }.map { max($0, 6) }
  }
}
