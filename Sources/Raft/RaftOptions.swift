/// The timing and the bounds of one replica. All replicas of a group must agree on the timing: leases rest on it.
public struct RaftOptions: Sendable {
  /// The shortest election timeout, in ticks; the real one is drawn from [electionTicks, 2 · electionTicks).
  public var electionTicks: UInt64 = 10
  /// The ticks between two heartbeats of a leader.
  public var heartbeatTicks: UInt64 = 1
  /// The length of a tick in nanoseconds.
  public var tickNanoseconds: UInt64 = 100_000_000
  /// How much slower or faster one replica's clock may run than another's, in thousandths: the part of the
  /// election timeout by which a lease ends early.
  public var leaseDriftPermille: UInt64 = 100
  /// How long a leader's own write may take, in ticks, before it hands leadership to somebody with a better disk.
  public var stallTicks: UInt64 = 30
  /// The most appends sent to one peer and not yet answered.
  public var maxInflightMessages = 256
  /// The most bytes of entries sent to one peer and not yet answered (one message may exceed it).
  public var maxInflightBytes = 16 << 20
  /// The most bytes of entries in one append (a single larger entry is sent alone).
  public var maxMessageBytes = 1 << 20
  /// The most bytes of entries that one `Ready` hands out to be applied (a single larger entry goes alone).
  public var maxApplyBytes = 4 << 20
  /// The most payload bytes that a leader has proposed and not yet committed.
  public var maxUncommittedBytes = 64 << 20
  /// The bytes of applied entries that are kept in memory for peers that lag (see `compactionIndex`).
  public var maxLogBytes = 8 << 20
  /// Whether followers hear of a new commit index at once, by an append of its own where none is due; otherwise with
  /// the next append, or the next tick.
  public var tellsCommitAtOnce = true
  /// The most reads that wait for a confirmation of leadership.
  public var maxPendingReads = 1 << 16
  /// After how many ticks without a proposal or a round of reads a leader lets the nodes' pulses stand for its
  /// heartbeats; 0: never, for an owner that sends no pulses.
  public var quiescenceTicks: UInt64 = 0

  /// The defaults.
  public init() {}

  /// The shortest election timeout in nanoseconds. A replica that heard from a leader helps to elect no other for
  /// so long.
  public var electionTimeout: UInt64 { electionTicks * tickNanoseconds }
  /// The time between two heartbeats in nanoseconds.
  public var heartbeatInterval: UInt64 { heartbeatTicks * tickNanoseconds }
  /// `quiescenceTicks` in nanoseconds.
  var quiescenceDelay: UInt64 { quiescenceTicks * tickNanoseconds }
  /// How long a quiescent replica does without a pulse before heartbeats come again: three of them, well before the
  /// lease and the followers' patience are at their end.
  var pulsePatience: UInt64 { 3 * heartbeatInterval }
  /// `stallTicks` in nanoseconds.
  var stallTimeout: UInt64 { stallTicks * tickNanoseconds }
  /// How long after a quorum's acknowledged messages were sent a lease lasts, in nanoseconds of the leader's clock.
  public var leaseDuration: UInt64 { electionTimeout / 1000 * (1000 - leaseDriftPermille) }
  /// An upper bound, on the leader's clock, of an election timeout measured on any other clock.
  var slowestElectionTimeout: UInt64 { electionTimeout / (1000 - leaseDriftPermille) * 1000 + 1000 }

  /// Whether the numbers make sense together; a core refuses to start otherwise.
  var isValid: Bool {
    electionTicks > heartbeatTicks && heartbeatTicks > 0 && stallTicks >= electionTicks && tickNanoseconds >= 1000
      && leaseDriftPermille < 1000
      && maxInflightMessages > 0 && maxInflightBytes > 0 && maxMessageBytes > 0 && maxApplyBytes > 0
      && maxUncommittedBytes > 0 && maxPendingReads > 0
      && (quiescenceTicks == 0 || pulsePatience + heartbeatInterval < leaseDuration)
  }
}
