import Glibc

/// The processor time of processes on this machine, from /proc.
enum ProcessorTime {
  /// User and system time that a process has used, in microseconds; nil if it isn't a running kv of this machine.
  static func microseconds(pid: UInt64) -> UInt64? {
    guard let stat = read("/proc/\(pid)/stat"), let fields = fields(of: stat) else { return nil }
    let ticks = UInt64(sysconf(Int32(_SC_CLK_TCK)))
    return (fields.user + fields.system) * 1_000_000 / max(1, ticks)
  }

  /// The sum over some processes; nil unless each of them can be read.
  static func microseconds(pids: [UInt64]) -> UInt64? {
    var sum: UInt64 = 0
    for pid in pids {
      guard let part = microseconds(pid: pid) else { return nil }
      sum += part
    }
    return pids.isEmpty ? nil : sum
  }

  /// The times of a line of /proc/PID/stat, in clock ticks, if its program is `kv`. The program's name, in
  /// parentheses, may hold anything: what follows is counted from the last of them (proc_pid_stat(5)).
  static func fields(of line: String) -> (user: UInt64, system: UInt64)? {
    guard let open = line.firstIndex(of: "("), let close = line.lastIndex(of: ")"), open < close,
      line[line.index(after: open)..<close] == "kv"
    else { return nil }
    let rest = line[line.index(after: close)...].split(separator: " ")
    guard rest.count > 12, let user = UInt64(rest[11]), let system = UInt64(rest[12]) else { return nil }
    return (user, system)
  }

  private static func read(_ path: String) -> String? {
    guard let input = try? InputStream(opening: path), let bytes = try? input.all(limit: 4096) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
