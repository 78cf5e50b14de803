import Bytes
import Glibc

/// A file that says how far a watch has come: a version and a newline, replaced as a whole.
final class Checkpoint {
  private let path: String
  /// The version in the file; nil where there is no file yet.
  private(set) var version: Version?
  private var savedAt: UInt64 = 0
  /// Whether there were changes that the file doesn't count yet.
  private var hasChanges = false

  /// How often the file is written while changes come, and while none do, in milliseconds: what was looked through in vain
  /// needn't be again.
  private static let changePace: UInt64 = 100
  private static let quietPace: UInt64 = 5_000
  /// The longest file that is one.
  private static let mostBytes = 64

  /// The checkpoint in a file, which need not exist yet.
  init(path: String) throws(CommandError) {
    self.path = path
    var facts = stat()
    guard stat(path, &facts) != 0 || facts.st_mode & S_IFMT == S_IFREG else {
      throw .malformed("\(path) is not a checkpoint: it is no regular file, which could be replaced as a whole")
    }
    let bytes: [UInt8]?
    do throws(CommandError) {
      bytes = try InputStream(opening: path).all(limit: Checkpoint.mostBytes)
    } catch {
      guard error.exitCode == .missingFile else { throw error }
      return
    }
    let words = bytes.map { String(decoding: $0, as: UTF8.self) } ?? ""
    guard let number = UInt64(words.filter { !$0.isWhitespace }), number > 0 else {
      throw .malformed("\(path) is not a checkpoint: expected a version")
    }
    version = Version(rawValue: number)
  }

  /// Writes the file, unless it says this already.
  func save(_ version: Version) throws(CommandError) {
    if version != self.version { try write(version) }
  }

  /// Writes the file: before anything is done, since what is done and can't be noted is done again.
  func write(_ version: Version) throws(CommandError) {
    _ = try FileReplacement.write(path) { (file) throws(CommandError) in
      try file.line("\(version)")
      return .done
    }
    self.version = version
    hasChanges = false
    savedAt = ProcessFacts.steadyMilliseconds
  }

  /// Writes the file if that is due: soon after a change, seldom while nothing changes.
  func saveIfDue(_ version: Version, isChange: Bool) throws(CommandError) {
    hasChanges = hasChanges || isChange
    let pace = hasChanges ? Checkpoint.changePace : Checkpoint.quietPace
    if ProcessFacts.steadyMilliseconds >= savedAt + pace { try save(version) }
  }
}
