public import Bytes
import Environment
import Table

/// A part of a store's files that is not what it must be.
public struct StoreDamage: Equatable, Sendable {
  /// In which file.
  public let path: String
  /// From which byte on; 0 where it is the file as a whole.
  public let offset: UInt64
  /// What was expected and found.
  public let words: String
  /// The keys of the records concerned: above `after` (nil: from the first) up to and with `through`; nil: of no
  /// records in particular.
  public let after: Key?
  public let through: Key?

  init(path: String, offset: UInt64 = 0, words: String, after: Key? = nil, through: Key? = nil) {
    self.path = path
    self.offset = offset
    self.words = words
    self.after = after
    self.through = through
  }

  /// What an error of the store says.
  init(_ error: StoreError, path: String) {
    switch error {
    case .corrupt(let path, let offset, let expected, let found):
      self.init(path: path, offset: offset, words: "expected \(expected), found \(found)")
    case .io(let cause) where cause.isNotFound:
      self.init(path: path, words: "the file is gone")
    default:
      self.init(path: path, words: "\(error)")
    }
  }

  init(_ fault: BlockFault, path: String) {
    let error = StoreDamage(StoreError(fault.error), path: path)
    self.init(path: error.path, offset: error.offset, words: error.words, after: fault.after, through: fault.through)
  }
}
