import Glibc

/// A directory of the user's in which a client keeps what saves it time: the map and TLS sessions.
///
/// It works by good will: what can't be read or written is done without. What is read is checked like anything else
/// from outside, and taken only from files that nobody else may touch (a session stands for a node's certificate).
final class StateDirectory {
  /// The name of the file that holds the map.
  static let mapName = "map"

  private let path: String

  init(_ path: String) {
    self.path = path
  }

  /// The content of a file and its age in milliseconds.
  func read(_ name: String) -> (bytes: [UInt8], age: UInt64)? {
    let file = "\(path)/\(name)"
    guard case .success(let bytes) = SmallFile.read(file, limit: ClientLimits.stateFileBytes.rawValue, isPrivate: true)
    else { return nil }
    var facts = stat()
    guard stat(file, &facts) == 0 else { return nil }
    return (bytes, UInt64(max(0, time(nil) - facts.st_mtim.tv_sec)) * 1000)
  }

  /// Replaces the content of a file.
  func write(_ name: String, _ bytes: [UInt8]) {
    let file = "\(path)/\(name)"
    if case .success = SmallFile.replace(file, with: bytes) { return }
    makeDirectories()
    _ = SmallFile.replace(file, with: bytes)
  }

  private func makeDirectories() {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/\(part)"
      mkdir(made, 0o700)
    }
  }
}
