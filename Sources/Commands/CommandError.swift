import Bytes
import Client
import Glibc
import Server

/// Why a command did not do all that it was asked to: each case stands for one exit code or a family of them.
public indirect enum CommandError: Error {
  /// The command line asks for something that can't be.
  case usage(String)
  /// Input that isn't what its format says, or that breaks a limit.
  case malformed(String)
  /// A file or stream could not be read or written; `code` is the system's error number.
  case file(operation: String, path: String, code: Int32)
  /// Whoever read standard output has gone away.
  case outputClosed
  /// A cluster file is missing or wrong.
  case clusterFile(ClusterFileError)
  /// The cluster did not do what it was asked.
  case client(ClientError)
  /// The node could not serve or join.
  case server(ServerError)
  /// A child process could not be started, or ended too early.
  case child(String)
  /// A store, table or log on this machine's disk could not be used.
  case engine(String)
  /// What was waited for did not come in time.
  case notInTime(String)
  /// The settings of a node are not what their format says.
  case configuration(String)
  /// Somebody asked for the end.
  case interrupted
  /// What was read back is not what was written.
  case mismatch(String)
  /// A snapshot's file does not show the version.
  case notInFile(String)
  /// What was begun is not done, for a reason; what to do about it.
  case unfinished(CommandError, String)

  /// The status with which the command ends.
  public var exitCode: ExitCode {
    switch self {
    case .usage: .usage
    case .configuration: .configuration
    case .malformed: .malformedData
    case .file("open", _, ENOENT), .file("list", _, ENOENT): .missingFile
    case .file: .inputOutput
    case .outputClosed, .interrupted: .inputOutput
    case .clusterFile(let error): ExitCode(rawValue: error.exitCode) ?? .softwareError
    case .client(let error): ExitCode(rawValue: error.exitCode) ?? .softwareError
    case .server(let error): ExitCode(rawValue: error.exitCode) ?? .softwareError
    case .child, .engine: .inputOutput
    case .notInTime: .unavailable
    case .mismatch: .damage
    case .notInFile: .notRetained
    case .unfinished(let reason, _): reason.exitCode
    }
  }

  /// What to tell the user; nil where nothing is to be said.
  public var message: String? {
    switch self {
    case .usage(let words), .malformed(let words), .child(let words), .engine(let words), .notInTime(let words),
      .mismatch(let words), .notInFile(let words):
      words
    case .configuration(let words): words
    case .file(let operation, let path, let code): "\(operation) \(path): \(CommandError.systemWords(code))"
    case .outputClosed, .interrupted: nil
    case .unfinished(let reason, let advice): "\(reason.message.map { $0 + "; " } ?? "")\(advice)"
    case .clusterFile(let error): "\(error)"
    case .client(let error): "\(error)"
    case .server(let error): "\(error)"
    }
  }

  /// The system's words for one of its error numbers.
  static func systemWords(_ code: Int32) -> String {
    // SAFETY: strerror gives a NUL-terminated string that is copied at once; no other thread asks meanwhile for more
    // than the same constant text.
    guard let words = strerror(code) else { return "error \(code)" }
    return String(cString: words)
  }
}
