import Bytes
public import Environment

/// Why the shared log refused.
public enum LogError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The disk is full. Nothing of the batch may be believed durable. The log lives on: the same batch may be given
  /// again once there is room, whole, since a part of it may already be written. That is safe because space runs out
  /// where a segment is made or a write is refused, never between a write and its acknowledgement.
  case full(DiskError)
  /// A write or sync failed, now or earlier: the log is dead until the node starts again and reads back what the
  /// disk really holds. Nothing that was not acknowledged before may be believed durable.
  case failed(DiskError)
  /// The log could not be opened.
  case disk(DiskError)
  /// A segment was written by a newer kv.
  case unsupportedFormat(path: String, found: UInt32, supported: UInt32)
  /// A file holds a segment that is still needed, but another one than its name says: someone renamed it. To give it
  /// its name back lets the log open; to guess could destroy it.
  case misplaced(path: String, expected: UInt64, found: UInt64)

  public var description: String {
    switch self {
    case .full(let error): "log: disk full: \(error)"
    case .failed(let error): "log: stopped after \(error)"
    case .disk(let error): "log: \(error)"
    case .unsupportedFormat(let path, let found, let supported):
      "\(path): log format \(found), this kv reads \(supported)"
    case .misplaced(let path, let expected, let found):
      "\(path): expected segment \(expected), found segment \(found), which is needed under its own name"
    }
  }
}
