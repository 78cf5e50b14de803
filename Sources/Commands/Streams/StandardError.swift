import Glibc

/// Words for people: standard error.
enum StandardError {
  /// Writes `kv: ` and the words, on a line of their own, in one write.
  static func say(_ words: String) {
    write("kv: \(words)\n")
  }

  /// Writes text as it is. What can't be written is lost: there is nobody to tell.
  static func write(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      // SAFETY: the buffer is valid while write reads it.
      let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Whether a person looks at it.
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}
