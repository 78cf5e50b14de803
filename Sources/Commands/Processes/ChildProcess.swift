import CShims
import Glibc

/// A process that this one starts, with its streams connected to files or pipes.
final class ChildProcess {
  /// Its id.
  let pid: pid_t
  /// Its exit status, once it has ended: the code, or 128 and the signal that ended it.
  private(set) var status: Int32?
  private var lifeline: Int32

  /// The path of the program that runs now.
  static let thisProgram: String = {
    let link = "/proc/self/exe"
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    // SAFETY: readlink writes at most the bytes of the buffer.
    let count = readlink(link, &path, path.count)
    let target = String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // A program that was replaced meanwhile has no path any more, but the link still leads to it.
    return access(target, X_OK) == 0 ? target : link
  }()

  /// Where a stream of the child goes.
  enum Stream {
    /// Where this process's own goes.
    case inherited
    /// To a file, made or emptied.
    case file(String)
    /// To the end of a file.
    case appending(String)
  }

  /// Starts a program, looked for as a shell does, with additions to the environment.
  ///
  /// The child's standard input holds `input`, whether the child reads that or not. With `holdsInput` it is a pipe that
  /// stays open until `release` or the end of this process, however that comes about.
  /// A child of its own group isn't reached by the terminal's Ctrl-C.
  init(
    _ program: String, _ arguments: [[UInt8]], input: [UInt8] = [], holdsInput: Bool = false,
    output: Stream = .inherited, errors: Stream = .inherited, environment: [String: String] = [:]
  ) throws(CommandError) {
    precondition(!holdsInput || input.count <= Int(PIPE_BUF), "a pipe takes so much, read or not")
    let (source, lifeline) = holdsInput ? try ChildProcess.pipe() : (try ChildProcess.file(of: input), -1)
    defer { close(source) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, source, STDIN_FILENO)
    ChildProcess.connect(output, STDOUT_FILENO, &actions)
    ChildProcess.connect(errors, STDERR_FILENO, &actions)
    var attributes = ChildProcess.attributes(ownGroup: holdsInput)
    defer { posix_spawnattr_destroy(&attributes) }
    var variables = ProcessFacts.environment
    variables.merge(environment) { _, new in new }
    var pid: pid_t = 0
    let code = CStringArray.with([Array(program.utf8)] + arguments) { argv in
      CStringArray.with(variables.map { Array("\($0.key)=\($0.value)".utf8) }) { envp in
        posix_spawnp(&pid, program, &actions, &attributes, argv, envp)
      }
    }
    guard code == 0 else {
      if lifeline >= 0 { close(lifeline) }
      throw .child("\(program) can't be started: \(CommandError.systemWords(code))")
    }
    self.pid = pid
    self.lifeline = lifeline
    // SAFETY: the array is valid while write reads it. A child that is gone already is noticed when it is waited for.
    if holdsInput, !input.isEmpty { _ = input.withUnsafeBytes { write(lifeline, $0.baseAddress, $0.count) } }
  }

  /// A pipe's two ends; another child must not hold it open.
  private static func pipe() throws(CommandError) -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else {
      throw .child("no pipe for a child process: \(CommandError.systemWords(errno))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// A file of these bytes, to be read from its begin: a pipe holds but 64 KiB for a child that doesn't read.
  private static func file(of bytes: [UInt8]) throws(CommandError) -> Int32 {
    let file = kv_memory_file()
    var count = 0
    // SAFETY: the array is valid while write reads it.
    while file >= 0, count < bytes.count {
      let written = bytes.withUnsafeBytes { write(file, $0.baseAddress?.advanced(by: count), $0.count - count) }
      guard written > 0 || errno == EINTR else { break }
      count += max(0, written)
    }
    guard file >= 0, count == bytes.count, lseek(file, 0, SEEK_SET) == 0 else {
      let code = errno
      if file >= 0 { close(file) }
      throw .child("no input for a child process: \(CommandError.systemWords(code))")
    }
    return file
  }

  deinit { release() }

  /// Ends the child's standard input.
  func release() {
    if lifeline >= 0 { close(lifeline) }
    lifeline = -1
  }

  /// Sends a signal, if the child still runs.
  func signal(_ number: Int32) {
    if isRunning { kill(pid, number) }
  }

  /// Whether the child still runs.
  var isRunning: Bool {
    reap(WNOHANG)
    return status == nil
  }

  /// Waits for the child's end and gives its status.
  @discardableResult
  func wait() -> Int32 {
    while status == nil { reap(0) }
    return status ?? 0
  }

  /// Waits for the child's end, at most so long; nil if it still runs.
  func wait(milliseconds: UInt64) -> Int32? {
    let deadline = ProcessFacts.steadyMilliseconds + milliseconds
    while isRunning, ProcessFacts.steadyMilliseconds < deadline { ProcessFacts.sleep(milliseconds: 10) }
    return status
  }

  private func reap(_ options: Int32) {
    guard status == nil else { return }
    var word: Int32 = 0
    let result = waitpid(pid, &word, options)
    if result == pid {
      // The layout of the status word, for which the C library has only macros (wait(2)).
      status = word & 0x7f == 0 ? (word >> 8) & 0xff : 128 + (word & 0x7f)
    } else if result < 0, errno != EINTR {
      status = 128
    }
  }

  private static func connect(_ stream: Stream, _ descriptor: Int32, _ actions: inout posix_spawn_file_actions_t) {
    switch stream {
    case .inherited: return
    case .file(let path):
      posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    case .appending(let path):
      posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    }
  }

  /// No signal blocked, none ignored that a shell would not have ignored.
  private static func attributes(ownGroup: Bool) -> posix_spawnattr_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var usual = sigset_t()
    sigemptyset(&usual)
    for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&usual, signal) }
    posix_spawnattr_setsigdefault(&attributes, &usual)
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (ownGroup ? POSIX_SPAWN_SETPGROUP : 0)
    posix_spawnattr_setflags(&attributes, Int16(flags))
    return attributes
  }
}

/// Strings as C functions take lists of them.
private enum CStringArray {
  /// Calls `body` with a null-terminated array of NUL-terminated strings, valid during the call.
  static func with<T>(_ strings: [[UInt8]], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> T) -> T {
    let copies = strings.map { strdup($0.map { CChar(bitPattern: $0) } + [0]) }
    defer { for copy in copies { free(copy) } }
    let terminated = copies + [nil]
    // SAFETY: the copies live until `body` has returned, and the array ends with a null.
    return terminated.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("an array with a null in it is not empty") }
      return body(base)
    }
  }
}
