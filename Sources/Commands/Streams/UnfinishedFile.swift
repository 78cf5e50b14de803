import Glibc

/// A file that is being written under a name of its own, and what becomes of it when the process is interrupted before it
/// has another: it goes, or it is kept and something is said.
///
/// SAFETY: path and words are written before the handlers are installed and freed after they are gone again, on one
/// thread; a handler calls nothing but unlink(2), write(2), strlen(3), signal(2) and raise(3), which signal-safety(7)
/// allows.
enum UnfinishedFile {
  nonisolated(unsafe) private static var path: UnsafeMutablePointer<CChar>?
  nonisolated(unsafe) private static var words: UnsafeMutablePointer<CChar>?
  private static let signals = [SIGINT, SIGTERM, SIGHUP]

  /// Calls `body`; a signal that ends the process meanwhile removes the file first. One at a time.
  static func named<Result>(
    _ path: String, _ body: () throws(CommandError) -> Result
  ) throws(CommandError) -> Result {
    try interruptibly(removing: path, saying: nil, body)
  }

  /// Calls `body`; a signal that ends the process meanwhile has the words written to standard error first. One at a time.
  static func kept<Result>(
    saying words: String, _ body: () throws(CommandError) -> Result
  ) throws(CommandError) -> Result {
    try interruptibly(removing: nil, saying: words, body)
  }

  private static func interruptibly<Result>(
    removing path: String?, saying words: String?, _ body: () throws(CommandError) -> Result
  ) throws(CommandError) -> Result {
    precondition(self.path == nil && self.words == nil, "one unfinished file at a time")
    self.path = path.flatMap { strdup($0) }
    self.words = words.flatMap { strdup($0) }
    let before = signals.map { (signal: $0, handler: Glibc.signal($0, end)) }
    // What was ignored, as under nohup(1), stays so.
    for (signal, handler) in before where isIgnored(handler) { Glibc.signal(signal, SIG_IGN) }
    defer {
      for (signal, handler) in before { Glibc.signal(signal, handler) }
      free(self.path)
      free(self.words)
      (self.path, self.words) = (nil, nil)
    }
    return try body()
  }

  private static let end: @convention(c) (Int32) -> Void = { number in
    if let path { unlink(path) }
    if let words { _ = write(STDERR_FILENO, words, strlen(words)) }
    Glibc.signal(number, SIG_DFL)
    raise(number)
  }

  private static func isIgnored(_ handler: sighandler_t?) -> Bool {
    unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
