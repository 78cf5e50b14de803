/// Why a connection could not be made or used.
struct ChannelFailure: Error, Equatable {
  /// What the failure means for the call.
  enum Kind {
    /// The peer is down, out of reach, or the connection broke.
    case broken
    /// The peer is not of this cluster, or can't show that it is.
    case notThisCluster
    /// The peer does not accept this client's certificate.
    case refused
    /// The client's own certificate, key or host is at fault.
    case local
  }

  let kind: Kind
  /// What happened, for people; it doesn't name the peer.
  let words: String
}

/// A secured connection to one node: bytes in order. It is closed when the last reference goes.
protocol Channel: AnyObject {
  /// Sends all of the bytes; waits at most until the deadline, a moment of `Surroundings.now`.
  func send(_ bytes: [UInt8], until deadline: UInt64) throws(ChannelFailure)
  /// Adds the bytes that have arrived, at least one, to the frames; false where none arrive by the deadline. An end of the
  /// connection is a failure.
  func receive(into frames: inout FrameReader, until deadline: UInt64) throws(ChannelFailure) -> Bool
  /// Whether something was received, or the end, that nobody has asked for yet.
  var hasNews: Bool { get }
  /// Whether nothing is known against sending: the peer has not closed. Costs no round trip.
  var isOpen: Bool { get }
  /// Ends the connection.
  func close()
}

/// Many channels, to wait for all at once.
protocol WaitSet: AnyObject {
  /// Adds a channel under a number. It leaves the set when it goes.
  func add(_ channel: any Channel, number: Int) throws(ChannelFailure)
  /// Waits until some of the channels may have bytes to receive, at most until the deadline; gives their numbers. A
  /// channel that `hasNews` needs no waiting for, and doesn't end it.
  func wait(until deadline: UInt64) -> [Int]
}

/// What the client needs of the world: time and connections. Tests script it; `SystemSurroundings` is real.
protocol Surroundings: AnyObject {
  /// A steady clock, in milliseconds.
  var now: UInt64 { get }
  /// The wall clock, in milliseconds since 1970.
  var wallMilliseconds: UInt64 { get }
  /// Waits.
  func sleep(milliseconds: UInt64)
  /// Connects to `HOST:PORT` and makes sure that there is a node of the cluster. Which one doesn't matter: each
  /// answers truly, or says who can.
  func connect(to address: String, until deadline: UInt64) throws(ChannelFailure) -> any Channel
  /// Waits until some of the channels may have bytes to receive, at most until the deadline; gives their places.
  @discardableResult
  func wait(for channels: [any Channel], until deadline: UInt64) -> [Int]
  /// An empty set of channels.
  func makeWaitSet() -> any WaitSet
}
