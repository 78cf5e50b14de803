import Bytes
import Environment
import Glibc
import Testing

@testable import Store

/// `kill -9` of a process that writes to log and store, again and again, on the real disk. Short by itself;
/// `KV_TORMENT_SECONDS=300` lets it go on for that long.
@Suite struct KillTests {
  private static let victimVariable = "KV_KILL_VICTIM"
  /// Where the process that this one is writes, if it is there to be killed.
  private static let victimDirectory = variable(victimVariable)
  private static let seconds = variable("KV_TORMENT_SECONDS").flatMap { Int($0) } ?? 4

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  @Test("what is killed by the other test", .enabled(if: victimDirectory != nil))
  func victim() throws {
    try KillPlan.write(try #require(Self.victimDirectory))
  }

  @Test(
    "kill -9 at any moment: everything acknowledged is there, nothing else, and the store goes on",
    .enabled(if: victimDirectory == nil))
  func kills() throws {
    let directory = (Self.variable("TMPDIR") ?? P_tmpdir) + "/kv-kill-\(getpid())"
    defer { _ = try? Self.wait(try Self.spawn(["/bin/rm", "-rf", directory], [:])) }
    let seed = UInt64(getpid())
    var random = SplitMix64(seed: seed)
    var model = KillModel()
    var kills = 0
    let end = time(nil) + Self.seconds
    while time(nil) < end || kills < 3 {
      let before = Self.acknowledged(directory)
      try Self.kill(directory, after: Int.random(in: 1...300, using: &random))
      kills += 1
      let acknowledged = Self.acknowledged(directory)
      let place = "seed \(seed), kill \(kills), \(acknowledged) records acknowledged"
      try #require(acknowledged > before, "\(place): nothing new")
      let opened = try KillPlan.open(directory)
      try #require(opened.faults.isEmpty, "\(place): \(opened.faults.prefix(3))")
      try #require(
        (acknowledged...acknowledged + KillPlan.batch).contains(opened.last), "\(place): \(opened.last) are there")
      model.grow(to: opened.last)
      let faults = try model.faults(of: opened.store, &random)
      try #require(faults.isEmpty, "\(place): \(faults.prefix(3))")
    }
    print("killed \(kills) times, \(model.count) records")
  }

  /// Runs a victim, and kills it so many milliseconds after it has begun to write.
  private static func kill(_ directory: String, after milliseconds: Int) throws {
    let before = acknowledged(directory)
    let pid = try spawn(
      [program, "--testing-library", "swift-testing", "--filter", "KillTests"],
      [victimVariable: directory])
    for _ in 0..<60_000 where acknowledged(directory) == before { usleep(1000) }
    usleep(UInt32(milliseconds) * 1000)
    Glibc.kill(pid, SIGKILL)
    #expect(try wait(pid) == SIGKILL, "the victim ended before it was killed")
  }

  /// The program that runs these tests.
  private static var program: String {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    // SAFETY: readlink writes at most the bytes of the buffer.
    let length = readlink("/proc/self/exe", &path, path.count)
    return String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The number of the last record that a victim has acknowledged.
  private static func acknowledged(_ directory: String) -> UInt64 {
    let file = open(directory + "/acknowledged", O_RDONLY)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var number: UInt64 = 0
    return withUnsafeMutableBytes(of: &number) { pread(file, $0.baseAddress, 8, 0) } == 8 ? number : 0
  }

  private static func spawn(_ words: [String], _ additions: [String: String]) throws -> pid_t {
    var variables = additions.map { "\($0.key)=\($0.value)" }
    for name in ["PATH", "LD_LIBRARY_PATH", "HOME"] {
      if let value = variable(name) { variables.append("\(name)=\(value)") }
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    let argv = words.map { strdup($0) } + [nil]
    let envp = variables.map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, words[0], &actions, nil, argv, envp)
    try #require(code == 0, "\(words[0]) can't be started: error \(code)")
    return pid
  }

  /// The signal that ended a process; 0 if it ended by itself.
  private static func wait(_ pid: pid_t) throws -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 { try #require(errno == EINTR) }
    return status & 0x7f
  }
}
