import Bytes
import Wire

/// One write of a pipelined writer, from its adding until its outcome.
final class PendingWrite {
  /// Its place in the order of adding, from 0.
  let index: Int
  let key: Key
  let id: RequestID
  let body: WireRequest.OneOf_Body
  /// The size of key and value.
  let bytes: Int
  /// When to give up.
  let deadline: UInt64
  var attempts: Attempts
  var route = Route()
  /// The address that the latest answer pointed at.
  var hint: String?
  var stage = Stage.fresh

  /// Where a write stands.
  enum Stage {
    case fresh
    /// It waits, and then goes to an address.
    case resting(until: UInt64, address: String)
    /// It was sent, at a moment, to a link that may be silent for so long.
    case asked(Link, since: UInt64, patience: UInt64)
  }

  init(index: Int, key: Key, id: RequestID, write: WireWriteRequest, bytes: Int, deadline: UInt64) {
    self.index = index
    self.key = key
    self.id = id
    self.body = .write(write)
    self.bytes = bytes
    self.deadline = deadline
    attempts = Attempts(write.tombstone ? "delete" : "put", write: id)
  }

  /// What an answer says of the write; nil for a body that doesn't fit it.
  func version(in body: WireResponse.OneOf_Body) -> Version? {
    guard case .write(let answer) = body, case .write(let write) = self.body else { return nil }
    return answer.version == 0 && !write.tombstone ? nil : Version(rawValue: answer.version)
  }
}
