import Bytes
import Wire

/// The name of one write, given by its client: a session (a UUIDv7, so that its age can be told) and a number within
/// the session. A partition applies a request id at most once.
struct RequestID: Hashable {
  /// The 16 bytes of the session's UUIDv7 as two big-endian halves.
  let session: SessionID
  /// Counts the session's writes from 1.
  let sequence: UInt64
}

extension RequestID {
  /// Why a write can't have a version; nil if it can. Outcomes are forgotten by the time of versions, so it is that time,
  /// and no node's clock, which says whether a write of this id may have been applied and forgotten.
  func expiry(at version: Version) -> String? {
    let (made, time) = (session.milliseconds, version.milliseconds)
    if made + Limits.requestIDMilliseconds < time {
      return "the request id is over an hour old: whether it was applied is not known any more"
    }
    if made > time + Limits.requestIDLeadMilliseconds {
      return "the request id lies over a minute in the future: set the client's clock"
    }
    return nil
  }
}

/// A session's UUIDv7 (RFC 9562 §5.7).
struct SessionID: Hashable, Comparable {
  let high: UInt64
  let low: UInt64

  /// The session of these 16 bytes, or nil where they are not 16.
  init?(_ bytes: WireBytes) {
    guard bytes.count == 16 else { return nil }
    (high, low) = bytes.lend {
      // SAFETY: both halves lie within the 16 lent bytes.
      ($0.loadUnaligned(as: UInt64.self).bigEndian, $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian)
    }
  }

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// When the session began, in milliseconds since 1970, by the client's clock.
  var milliseconds: UInt64 { high >> 16 }

  static func < (left: SessionID, right: SessionID) -> Bool { (left.high, left.low) < (right.high, right.low) }
}
