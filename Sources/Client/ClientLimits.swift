import Bytes

/// Every bound and pace of the client, by name. Times are in milliseconds.
enum ClientLimits {
  /// The longest cluster file that is read.
  static let clusterFileBytes = ByteCount.kibibytes(256)
  /// The longest text of a join token.
  static let joinTokenBytes = ByteCount.kibibytes(8)
  /// The largest file of the state directory that is read.
  static let stateFileBytes = ByteCount.mebibytes(2)
  /// The most characters of a peer's message that an error repeats.
  static let messageBytes = 1024
  /// The most peers that an error names one by one.
  static let peersNamed = 8

  /// At most so many peers are asked one after the other before the client rests.
  static let attemptsPerRound = 4
  /// The first rest between rounds; each one is twice as long as the one before.
  static let firstRest: UInt64 = 10
  /// The longest rest between rounds.
  static let longestRest: UInt64 = 320
  /// A connection gets at least this long, if so much is left, or a quarter of what is left.
  static let connectTime: UInt64 = 1000
  /// An answer gets at least this long, if so much is left, or half of what is left.
  static let answerTime: UInt64 = 500
  /// The least time for another attempt behind a rest, after a node has said why not; or a third of all. Nodes look at
  /// their clocks every 50 ms: a shorter one would be lost, and leave unknown what is known.
  static let lastAnswerTime: UInt64 = 300
  /// How long it is tried to tell a node of which writes the client has heard.
  static let acknowledgeTime: UInt64 = 200
  /// A connection without a request under way for this long may have been closed by its node.
  static let restedAfter: UInt64 = 50
  /// How long an answered call waits for a map that it asked for on the way.
  static let mapTime: UInt64 = 100
  /// A map older than this is asked for again with the next request.
  static let mapAge: UInt64 = 5000
  /// A stored map older than this is asked for again with the first request.
  static let storedMapAge: UInt64 = 60_000
  /// A stored TLS session older than this is replaced, even if it still works.
  static let resumedSessionAge: UInt64 = 6 * 3_600_000
  /// A session of request ids is used no longer than this: servers take its ids for an hour.
  static let sessionAge: UInt64 = 30 * 60_000

  /// Whoever takes outcomes holds a pipeline up if it takes so long over one.
  static let heldOutcome: UInt64 = 20
  /// Who drives many pipelines looks at least this often whether a request is too late.
  static let groupCheck: UInt64 = 100
  /// How much of a range a node sends at once.
  static let rangeCredit = ByteCount.kibibytes(256)
  /// How much of the changes that a watch asks for a node sends at once.
  static let changesCredit = ByteCount.mebibytes(4)
  /// How long a node is asked to wait for a change, and how much longer it may be silent.
  static let watchTime: UInt64 = 5000
  static let watchSilence: UInt64 = 2000
  /// A watch without changes asks for the version up to which there are none this often.
  static let quietWatch: UInt64 = 5_000
  /// Requests are gathered up to this size before they are sent: the room of one TLS record.
  static let gatheredBytes = 16 << 10
  /// The most bytes of keys and values that a pipeline has under way.
  static let pipelineBytes = ByteCount.mebibytes(32)
}
