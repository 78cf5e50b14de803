public import Bytes
public import Environment
public import Log
public import Store
public import Wire

/// Why a node can't be opened or made.
public enum NodeError: Error, Sendable, CustomStringConvertible {
  case disk(DiskError)
  case log(LogError)
  case store(StoreError)
  /// A file holds something else than it should.
  case malformed(path: String, words: String)
  /// What the replica of the catalog had promised is lost, and nothing says whom to ask for another: without it a node
  /// can do nothing.
  case damagedCatalog([String])
  /// The catalog's file can't be read, nor its copy.
  case damagedCatalogFile(String)
  /// The directory is of something else.
  case foreign(path: String, words: String)
  /// The directory is of a node that is a member no more.
  case departed(path: String, node: NodeID, cluster: String, WireDeparture)
  /// The records with which a new cluster shall begin could not be had.
  case seed(words: String)

  /// What happened, for people.
  public var description: String {
    switch self {
    case .disk(let error): "\(error)"
    case .log(let error): "\(error)"
    case .store(let error): "\(error)"
    case .malformed(let path, let words): "\(path): \(words)"
    case .damagedCatalog(let damage):
      "the node's part of the catalog is damaged: \(damage.joined(separator: "; ")); where other nodes serve, "
        + "have them go on without this one (kv leave --lost) and let it join with an empty directory; "
        + "where there is no other, kv recover plan --accept-loss says what is left"
    case .damagedCatalogFile(let words):
      "\(words); where other nodes serve, have them go on without this one (kv leave --lost) and let it join with an empty "
        + "directory; where none does, kv recover plan --from takes the catalog from another node's directory"
    case .foreign(let path, let words): "\(path): \(words)"
    case .departed(let path, let node, let cluster, let departure):
      "\(path): node \(node) \(departure == .isLost ? "was declared lost, or its certificate revoked, in" : "has left") "
        + "cluster \(cluster); to join again, remove the directory"
        + (departure == .isLost ? ", once it is certain that those that refuse it have what is needed of it," : "")
        + " and use kv join with a new token"
    case .seed(let words): words
    }
  }
}
