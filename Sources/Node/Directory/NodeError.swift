public import Environment
public import Log
public import Store

/// Why a node can't be opened or made.
public enum NodeError: Error, Sendable, CustomStringConvertible {
  case disk(DiskError)
  case log(LogError)
  case store(StoreError)
  /// A file holds something else than it should.
  case malformed(path: String, words: String)
  /// Synced records of the log are damaged, of the only replica of the catalog: without it a node can do nothing.
  case damagedLog([String])
  /// The directory is of something else.
  case foreign(path: String, words: String)
  /// The records with which a new cluster shall begin could not be had.
  case seed(words: String)

  /// What happened, for people.
  public var description: String {
    switch self {
    case .disk(let error): "\(error)"
    case .log(let error): "\(error)"
    case .store(let error): "\(error)"
    case .malformed(let path, let words): "\(path): \(words)"
    case .damagedLog(let damage): "the log is damaged: " + damage.joined(separator: "; ")
    case .foreign(let path, let words): "\(path): \(words)"
    case .seed(let words): words
    }
  }
}
