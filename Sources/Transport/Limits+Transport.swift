public import Bytes

extension Limits {
  /// The largest frame that a joiner without a certificate may send or be sent.
  public static let enrolmentFrameBytes = ByteCount.kibibytes(64)
  /// Output that waits for a slow peer: above this, requests of the peer are no longer read …
  public static let outboundHighWater = ByteCount.mebibytes(1)
  /// … until no more than this waits.
  public static let outboundLowWater = ByteCount.kibibytes(256)
  /// Output that waits for a peer: above this, the connection is closed.
  public static let outboundBytes = ByteCount.mebibytes(64)
  /// Output collected before it is encrypted without waiting for the end of the loop's turn.
  public static let outboundBatch = ByteCount.kibibytes(256)
  /// Buffers of a connection that have grown above this are freed when empty.
  public static let keptBuffer = ByteCount.kibibytes(256)
  /// The steps in which room is made for a frame that was announced and has not arrived.
  public static let frameReserve = ByteCount.mebibytes(1)
  /// How long a handshake may take, in milliseconds.
  public static let handshakeMilliseconds: Int64 = 10_000
  /// How long a peer may take none of the output that waits for it, in milliseconds.
  public static let stallMilliseconds: Int64 = 30_000
  /// How long a node may leave what it was sent without any acknowledgement of its kernel's, in milliseconds, and how long
  /// anybody else: then the connection counts as broken, where TCP alone would go on for a quarter of an hour.
  public static let nodeSilenceMilliseconds = 10_000
  public static let callerSilenceMilliseconds = 30_000
  /// How long a closed connection may go on delivering what was sent on it, in milliseconds.
  public static let lingerMilliseconds: Int64 = 5_000
  /// The most connections that one listener holds open.
  public static let connections = 4096
}
