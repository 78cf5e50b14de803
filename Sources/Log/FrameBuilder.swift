import Bytes

/// One record of a frame to be written.
struct RecordDraft {
  var group: GroupID
  var flags: RecordFlags
  var ordinal: UInt64
  var control: RecordControl
  var entries: ArraySlice<LogEntry>
  var payloadBytes: Int

  var header: RecordHeader {
    RecordHeader(
      group: group, payloadBytes: payloadBytes, checksum: 0, flags: flags, ordinal: ordinal,
      first: entries.first?.index ?? .zero, last: entries.last?.index ?? .zero)
  }
}

/// Gathers records and encodes them as one frame, in a buffer that is used again and again.
struct FrameBuilder {
  /// A larger buffer, left by a large entry, is not kept.
  private static let keptBytes = 1 << 20

  private(set) var drafts: [RecordDraft] = []
  private var payloadBytes = 0
  private var writer = ByteWriter()

  /// The size of the frame so far, without padding.
  var bytes: Int { FrameHeader.bytes + drafts.count * RecordHeader.bytes + payloadBytes }

  mutating func add(_ draft: RecordDraft) {
    drafts.append(draft)
    payloadBytes += draft.payloadBytes
  }

  mutating func removeAll() {
    drafts.removeAll(keepingCapacity: true)
    payloadBytes = 0
  }

  /// The frame as it goes to an offset of a segment.
  mutating func encode(
    number: UInt64, durable: LogPosition, oldest: UInt64, seed: UInt32, offset: Int
  ) -> [UInt8] {
    let header = FrameHeader(
      kind: .batch, number: number, durable: durable, oldest: oldest, recordCount: drafts.count,
      payloadBytes: payloadBytes)
    if writer.count > FrameBuilder.keptBytes { writer = ByteWriter() } else { writer.removeAll() }
    header.encode(into: &writer)
    for draft in drafts { draft.header.encode(into: &writer) }
    for (position, draft) in drafts.enumerated() {
      let start = writer.count
      draft.control.encode(into: &writer)
      for entry in draft.entries { entry.encode(into: &writer) }
      let checksum = writer.bytes.withUnsafeBytes {
        // SAFETY: `start` is where the writer stood before the payload; the slice is used within the closure only.
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...]), seed: seed)
      }
      writer.patch(u32: checksum, at: FrameHeader.bytes + position * RecordHeader.bytes + 8)
    }
    for _ in writer.count..<header.frameBytes { writer.u8(0) }
    header.seal(&writer, at: 0, seed: seed, offset: offset)
    return writer.bytes
  }

  /// A mark as it goes to an offset of a segment.
  static func mark(number: UInt64, durable: LogPosition, oldest: UInt64, seed: UInt32, offset: Int) -> [UInt8] {
    let header = FrameHeader(
      kind: .mark, number: number, durable: durable, oldest: oldest, recordCount: 0, payloadBytes: 0)
    var writer = ByteWriter(capacity: FrameHeader.bytes)
    header.encode(into: &writer)
    header.seal(&writer, at: 0, seed: seed, offset: offset)
    return writer.bytes
  }
}
