public import Client
public import Environment
public import Node
public import Snapshot
public import TLS

/// Why a node does not run.
public enum ServerError: Error, CustomStringConvertible {
  /// Another process has the directory.
  case locked(DirectoryLockError)
  /// The directory can't be read, made or trusted.
  case node(NodeError)
  /// A file of the directory's identity is missing or malformed.
  case identity(path: String, words: String)
  /// A certificate or key could not be made or used.
  case tls(TLSError)
  /// The address can't be listened on.
  case listen(address: String, words: String)
  /// The flags don't fit each other or the directory.
  case usage(String)
  /// The token is malformed.
  case token(JoinTokenError)
  /// Enrolment failed.
  case enrolment(ClientError)
  /// The snapshot's files with which a cluster shall begin can't be used.
  case snapshot(SnapshotError)

  /// What happened, why, and what to try.
  public var description: String {
    switch self {
    case .locked(.disk(let error)): "\(error)"
    case .locked(let error): "\(error): a node runs on this directory already"
    case .node(let error): "\(error)"
    case .identity(let path, let words): "\(path): \(words)"
    case .tls(let error): "\(error)"
    case .listen(let address, let words): "can't listen on \(address): \(words)"
    case .usage(let words): words
    case .token(let error): "\(error)"
    case .enrolment(let error): "\(error)"
    case .snapshot(let error): "\(error)"
    }
  }
}

extension ServerError {
  /// The exit status, as kv(1) lists them.
  public var exitCode: Int32 {
    switch self {
    case .locked(.held): 77
    case .locked(.disk), .listen: 74
    case .node(let error): error.exitCode
    case .identity, .tls: 78
    case .usage: 64
    case .token: 65
    case .enrolment(let error): error.exitCode
    case .snapshot(let error): error.exitCode
    }
  }

  /// The exit status of a node that had to stop at once because its disk can't be trusted any more.
  static let fatalExitCode: Int32 = 74
}

extension SnapshotError {
  fileprivate var exitCode: Int32 {
    switch self {
    case .table(.io(let error)): error.isNotFound ? 66 : 74
    case .table, .damaged, .notSigned: 2
    case .notASnapshot, .brokenChain: 65
    case .notInFile: 3
    }
  }
}

extension NodeError {
  fileprivate var exitCode: Int32 {
    switch self {
    case .disk(let error): error.isNotFound ? 66 : 74
    case .log(.unsupportedFormat), .foreign: 78
    case .departed: 77
    case .log(.misplaced): 2
    case .log: 74
    case .store(.corrupt), .malformed, .damagedCatalog, .damagedCatalogFile, .seed: 2
    case .store: 74
    }
  }
}
