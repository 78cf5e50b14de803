import Bytes

/// What a record's payload says of its group before the entries.
struct RecordControl: Equatable {
  /// A group's state but for its entries.
  struct Checkpoint: Equatable {
    static let bytes = 36
    var reset: LogPoint
    var compacted: LogIndex
    var last: LogIndex
    var losses: Losses
  }

  /// What of a group could not be read.
  struct Losses: OptionSet {
    let rawValue: UInt32
    /// Whole records, of unknown content.
    static let records = Losses(rawValue: 1 << 0)
    /// The newest hard state.
    static let hardState = Losses(rawValue: 1 << 1)
    /// The newest reset point.
    static let reset = Losses(rawValue: 1 << 2)
  }

  var hardState: StoredHardState?
  var reset: LogPoint?
  var compacted: LogIndex?
  var checkpoint: Checkpoint?

  var encodedBytes: Int {
    (hardState == nil ? 0 : 24) + (reset == nil ? 0 : 16) + (compacted == nil ? 0 : 8)
      + (checkpoint == nil ? 0 : Checkpoint.bytes)
  }

  var flags: RecordFlags {
    var flags: RecordFlags = []
    if hardState != nil { flags.insert(.hardState) }
    if reset != nil { flags.insert(.reset) }
    if compacted != nil { flags.insert(.compacted) }
    if checkpoint != nil { flags.insert(.checkpoint) }
    return flags
  }

  func encode(into writer: inout ByteWriter) {
    if let hardState {
      writer.u64(hardState.term.rawValue)
      writer.u64(hardState.vote.rawValue)
      writer.u64(hardState.commit.rawValue)
    }
    if let reset { RecordControl.encode(reset, into: &writer) }
    if let compacted { writer.u64(compacted.rawValue) }
    if let checkpoint {
      RecordControl.encode(checkpoint.reset, into: &writer)
      writer.u64(checkpoint.compacted.rawValue)
      writer.u64(checkpoint.last.rawValue)
      writer.u32(checkpoint.losses.rawValue)
    }
  }

  private static func encode(_ point: LogPoint, into writer: inout ByteWriter) {
    writer.u64(point.index.rawValue)
    writer.u64(point.term.rawValue)
  }
}

extension RecordControl {
  init(from reader: inout ByteReader, flags: RecordFlags) throws(ByteError) {
    if flags.contains(.hardState) {
      hardState = StoredHardState(
        term: Term(rawValue: try reader.u64()), vote: ReplicaID(rawValue: try reader.u64()),
        commit: LogIndex(rawValue: try reader.u64()))
    }
    if flags.contains(.reset) { reset = try RecordControl.point(&reader) }
    if flags.contains(.compacted) { compacted = LogIndex(rawValue: try reader.u64()) }
    if flags.contains(.checkpoint) {
      checkpoint = Checkpoint(
        reset: try RecordControl.point(&reader), compacted: LogIndex(rawValue: try reader.u64()),
        last: LogIndex(rawValue: try reader.u64()), losses: Losses(rawValue: try reader.u32()))
    }
  }

  private static func point(_ reader: inout ByteReader) throws(ByteError) -> LogPoint {
    LogPoint(index: LogIndex(rawValue: try reader.u64()), term: Term(rawValue: try reader.u64()))
  }
}
