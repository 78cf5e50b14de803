import Glibc

/// What the system knows of this process and of time.
enum ProcessFacts {
  /// The environment variables.
  static var environment: [String: String] {
    var variables: [String: String] = [:]
    // SAFETY: `environ` is a null-terminated array of NUL-terminated strings; nothing in this process changes it.
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next = next.advanced(by: 1)
    }
    return variables
  }

  /// Milliseconds since 1970 by the wall clock.
  static var wallMilliseconds: UInt64 { nanoseconds(CLOCK_REALTIME) / 1_000_000 }
  /// Milliseconds on a clock that never jumps.
  static var steadyMilliseconds: UInt64 { steadyNanoseconds / 1_000_000 }
  /// Nanoseconds on a clock that never jumps.
  static var steadyNanoseconds: UInt64 { nanoseconds(CLOCK_MONOTONIC) }

  private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Sleeps so long, or until a signal comes.
  static func sleep(milliseconds: UInt64) {
    var time = timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    nanosleep(&time, nil)
  }

  /// The memory of this process that is in RAM, in KiB, by proc(5); nil where that can't be read.
  static var residentKibibytes: Int? {
    guard let file = fopen("/proc/self/statm", "r") else { return nil }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 128)
    // SAFETY: fgets writes at most as many bytes as it is told and ends them with a NUL.
    guard fgets(&text, Int32(text.count), file) != nil else { return nil }
    let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
      separator: " ")
    return words.dropFirst().first.flatMap { Int($0) }.map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) / 1024 }
  }
}
