public import Bytes

/// Why a call of the client came to nothing. The words of each case say what happened, why, what each peer answered
/// and what to try.
public enum ClientError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The condition of the write is false: nothing was written. The key's version, nil where it is absent.
  case conditionFalse(current: Version?)
  /// The condition of one of the writes of a batch, counted from 1, is false: none was made. The key's version, nil where
  /// it is absent.
  case conditionOfBatchFalse(write: Int, current: Version?)
  /// The version asked for has left retention; `floor` is the oldest still readable.
  case notRetained(floor: Version)
  /// The version asked for was not given out yet.
  case futureVersion(String)
  /// The request breaks a limit or a format.
  case invalid(String)
  /// The peer is of this cluster and may not, or will not, do this for this client.
  case refused(String)
  /// The peer is not of this cluster, or can't prove that it is.
  case notThisCluster(String)
  /// Nobody could do it in time. A write was certainly not applied.
  case unavailable(String)
  /// The write was perhaps applied; repeating it with the same request id is safe.
  case unknownOutcome(String, RequestID)
  /// The same of a write that a node would not make now, its condition being false or nothing there to delete, while
  /// another attempt of it may have been applied, or may be yet.
  case unsettled(String, RequestID)
  /// Stored bytes that the answer needs are damaged.
  case damaged(String)
  /// The disk of the nodes is full; nothing was written, reads go on.
  case diskFull(String)
  /// The client's own certificate, key or authority can't be used.
  case configuration(String)
  /// A bug in kv.
  case `internal`(String)

  /// The exit status of a command that ends with this error.
  public var exitCode: Int32 {
    switch self {
    case .conditionFalse, .conditionOfBatchFalse: 1
    case .damaged: 2
    case .notRetained: 3
    case .invalid: 65
    case .unavailable: 69
    case .internal: 70
    case .diskFull: 74
    case .unknownOutcome, .unsettled: 75
    case .notThisCluster: 76
    case .refused, .futureVersion: 77
    case .configuration: 78
    }
  }

  public var description: String {
    switch self {
    case .conditionFalse(.some(let current)): "the condition is false: the key's version is \(current)"
    case .conditionFalse(nil): "the condition is false: the key is absent"
    case .conditionOfBatchFalse(let write, let current):
      "\(ClientError.conditionFalse(current: current)), of write \(write) of its batch"
    case .notRetained(let floor): "this version is no longer retained: the oldest still readable is \(floor)"
    case .unknownOutcome(let words, let id), .unsettled(let words, let id):
      "\(words); to retry safely, use --request-id \(id)"
    case .futureVersion(let words), .invalid(let words), .refused(let words), .notThisCluster(let words),
      .unavailable(let words), .damaged(let words), .diskFull(let words),
      .configuration(let words), .internal(let words):
      words
    }
  }
}
