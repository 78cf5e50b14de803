import Glibc

/// A file that is being written under a name of its own, and goes when the process is interrupted before it has another.
///
/// SAFETY: the path is written before the handlers are installed and freed after they are gone again, on one thread; a
/// handler calls nothing but unlink(2), signal(2) and raise(3), which signal-safety(7) allows.
enum UnfinishedFile {
  nonisolated(unsafe) private static var path: UnsafeMutablePointer<CChar>?
  private static let signals = [SIGINT, SIGTERM, SIGHUP]

  /// Calls `body`; a signal that ends the process meanwhile removes the file first. One at a time.
  static func named<Result>(
    _ path: String, _ body: () throws(CommandError) -> Result
  ) throws(CommandError) -> Result {
    precondition(self.path == nil, "one unfinished file at a time")
    self.path = strdup(path)
    let before = signals.map { (signal: $0, handler: Glibc.signal($0, removeAndEnd)) }
    // What was ignored, as under nohup(1), stays so.
    for (signal, handler) in before where isIgnored(handler) { Glibc.signal(signal, SIG_IGN) }
    defer {
      for (signal, handler) in before { Glibc.signal(signal, handler) }
      free(self.path)
      self.path = nil
    }
    return try body()
  }

  private static let removeAndEnd: @convention(c) (Int32) -> Void = { number in
    if let path { unlink(path) }
    Glibc.signal(number, SIG_DFL)
    raise(number)
  }

  private static func isIgnored(_ handler: sighandler_t?) -> Bool {
    unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
