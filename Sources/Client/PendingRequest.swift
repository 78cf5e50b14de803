import Bytes
import Wire

/// One request of a pipeline, from its adding until its outcome.
final class PendingRequest {
  /// Its place in the order of adding, from 0.
  let index: Int
  let key: Key
  /// The request id of a write; nil for a read.
  let id: RequestID?
  var body: WireRequest.OneOf_Body
  /// The size of key and value.
  let bytes: Int
  /// When to give up.
  private(set) var deadline: UInt64
  var attempts: Attempts
  var route = Route()
  /// The address that the latest answer pointed at, or where it goes first.
  var hint: String?
  var stage = Stage.fresh

  /// Where a request stands.
  enum Stage {
    case fresh
    /// It waits, and then goes to an address.
    case resting(until: UInt64, address: String)
    /// It was sent, at a moment, to a link that may be silent for so long.
    case asked(Link, since: UInt64, patience: UInt64)
  }

  init(
    index: Int, key: Key, id: RequestID?, body: WireRequest.OneOf_Body, attempts: Attempts, bytes: Int,
    deadline: UInt64
  ) {
    self.index = index
    self.key = key
    self.id = id
    self.body = body
    self.attempts = attempts
    self.bytes = bytes
    self.deadline = deadline
  }

  /// Gives it that much more time: nobody could take an answer in.
  func postpone(by held: UInt64) {
    deadline += held
    if case .asked(let link, let since, let patience) = stage {
      stage = .asked(link, since: since + held, patience: patience)
    }
  }

  /// What an answer brings; nil for a body that doesn't fit the request.
  func answer(in answer: WireResponse.OneOf_Body) -> Pipeline.Answer? {
    switch (body, answer) {
    case (.write(let write), .write(let done)):
      done.version == 0 && !write.tombstone ? nil : .written(Version(rawValue: done.version))
    case (.get, .get(let found)): .found(Found(found), Freshness(found))
    default: nil
    }
  }
}
