public import Bytes

/// What changes together with a store's files: one manifest edit holds both, so that no crash can part them.
public struct StoreState: Equatable, Sendable {
  /// The last log entry whose effects the tables hold.
  public var appliedIndex: LogIndex
  /// The term of that entry.
  public var appliedTerm: Term
  /// The group's membership, in the consensus core's encoding.
  public var membership: [UInt8]
  /// Where the partition's arc of the ring starts.
  public var arcStart: UInt64
  /// How long the arc is, in the owner's measure.
  public var arcLength: UInt64
  /// The arc's epoch.
  public var epoch: UInt64
  /// The newest version ever applied. It outlives the records.
  public var lastVersion: Version
  /// The version up to which nothing more will come.
  public var closedVersion: Version
  /// The state by which repeated requests are known, in the owner's encoding.
  public var sessions: [UInt8]
  /// Anything else that belongs to the partition, in the owner's encoding.
  public var extra: [UInt8]

  /// A state; that of a partition that never applied anything unless said otherwise.
  public init(
    appliedIndex: LogIndex = .zero, appliedTerm: Term = .zero, membership: [UInt8] = [], arcStart: UInt64 = 0,
    arcLength: UInt64 = 0, epoch: UInt64 = 0, lastVersion: Version = .zero, closedVersion: Version = .zero,
    sessions: [UInt8] = [], extra: [UInt8] = []
  ) {
    self.appliedIndex = appliedIndex
    self.appliedTerm = appliedTerm
    self.membership = membership
    self.arcStart = arcStart
    self.arcLength = arcLength
    self.epoch = epoch
    self.lastVersion = lastVersion
    self.closedVersion = closedVersion
    self.sessions = sessions
    self.extra = extra
  }
}

extension StoreState {
  /// Appends the state: seven u64 in the order of the fields, then membership, sessions and extra as byte strings.
  func encode(into writer: inout ByteWriter) {
    for number in [
      appliedIndex.rawValue, appliedTerm.rawValue, arcStart, arcLength, epoch, lastVersion.rawValue,
      closedVersion.rawValue,
    ] { writer.u64(number) }
    for bytes in [membership, sessions, extra] { writer.string(bytes) }
  }

  /// Reads a state that `encode` wrote.
  init(from reader: inout ByteReader) throws(ByteError) {
    appliedIndex = LogIndex(rawValue: try reader.u64())
    appliedTerm = Term(rawValue: try reader.u64())
    arcStart = try reader.u64()
    arcLength = try reader.u64()
    epoch = try reader.u64()
    lastVersion = Version(rawValue: try reader.u64())
    closedVersion = Version(rawValue: try reader.u64())
    membership = try reader.string(limit: ManifestFormat.maximumBytes)
    sessions = try reader.string(limit: ManifestFormat.maximumBytes)
    extra = try reader.string(limit: ManifestFormat.maximumBytes)
  }
}
