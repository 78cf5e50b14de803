/// Gives out request ids, and knows up to which one all were answered.
///
/// A server may forget the outcomes up to `acknowledged`. So a sequence whose outcome stayed unknown is never passed
/// by: its user may still repeat it. The session is left to expire instead, and a new one begun.
struct Session {
  private let surroundings: any Surroundings
  private var id: SessionID
  private var began: UInt64
  /// The lowest sequence of the session that was not yet settled.
  private var lowestOpen: UInt64 = 1
  private var next: UInt64 = 1
  /// Settled sequences above `lowestOpen`: at most as many as there are writes under way.
  private var settled: Set<UInt64> = []
  private var isSpent = false

  init(_ surroundings: any Surroundings) {
    self.surroundings = surroundings
    id = Session.makeID(surroundings)
    began = surroundings.now
  }

  private static func makeID(_ surroundings: any Surroundings) -> SessionID {
    var random = SystemRandomNumberGenerator()
    return SessionID(milliseconds: surroundings.wallMilliseconds, using: &random)
  }

  /// A new id, and the sequence up to which all of its session are answered.
  mutating func take() -> (id: RequestID, acknowledged: UInt64) {
    if isSpent || surroundings.now > began + ClientLimits.sessionAge {
      self = Session(surroundings)
    }
    defer { next += 1 }
    return (RequestID(session: id, sequence: next), lowestOpen - 1)
  }

  /// The session, and the sequence up to which all of it are answered; nil where none is.
  var heard: (id: SessionID, through: UInt64)? { lowestOpen > 1 ? (id, lowestOpen - 1) : nil }

  /// Notes what became of an id: answered for certain, or left unknown. Ids of other sessions are passed over.
  mutating func settle(_ request: RequestID, isKnown: Bool) {
    guard request.session == id, request.sequence >= lowestOpen, request.sequence < next else { return }
    guard isKnown else {
      isSpent = true
      return
    }
    settled.insert(request.sequence)
    while settled.remove(lowestOpen) != nil { lowestOpen += 1 }
  }
}
