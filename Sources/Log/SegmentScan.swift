import Bytes

/// The frames of one segment, in order, and what between them can't be read.
struct SegmentScan {
  struct Frame {
    let offset: Int
    let header: FrameHeader
    let records: [RecordHeader]
    /// Which of the records have payloads that don't match their checksums.
    let badRecords: [Int]
    var end: Int { offset + header.frameBytes }
    /// Where the payloads begin.
    var payloadOffset: Int { offset + FrameHeader.bytes + records.count * RecordHeader.bytes }
  }

  enum Item {
    case frame(Frame)
    /// Bytes that hold no valid frame, before one that does.
    case gap(Range<Int>)

    var range: Range<Int> {
      switch self {
      case .frame(let frame): frame.offset..<frame.end
      case .gap(let range): range
      }
    }

    var isSound: Bool { if case .frame(let frame) = self { frame.badRecords.isEmpty } else { false } }
  }

  private(set) var items: [Item] = []
  /// Where the next frame would begin: the end of the last one, or where a mark is.
  private(set) var end = SegmentHeader.blockBytes
  /// The number of the next frame, or nil if none was found and none was expected.
  private(set) var nextNumber: UInt64?
  /// The farthest place that a frame or mark here says was durable.
  private(set) var durable = LogPosition(rawValue: 0)
  /// The highest number of a first segment still needed that a frame here gives; 0 if none does.
  var oldest: UInt64 {
    items.reduce(0) { oldest, item in
      if case .frame(let frame) = item { max(oldest, frame.header.oldest) } else { oldest }
    }
  }
  /// Where marks and frames are, so that those after the end can be voided.
  private var found: [Int] = []
  private let firstNumber: UInt64?

  /// Reads the frames of a segment.
  /// - Parameters:
  ///   - bytes: the file, up to where its frames are known to end, or the whole of it.
  ///   - seed: the segment's checksum seed.
  ///   - firstNumber: the number of its first frame, where known.
  init(_ bytes: [UInt8], seed: UInt32, firstNumber: UInt64?) {
    self.firstNumber = firstNumber
    nextNumber = firstNumber
    var at = SegmentHeader.blockBytes
    while true {
      var next = SegmentScan.frame(bytes, at: at, seed: seed, notBefore: nextNumber ?? 0)
      if next == nil || next?.header.kind == .mark {
        // The end of the log, unless something that was written later follows.
        if let mark = next { note(mark) }
        next = SegmentScan.search(bytes, from: at + FrameHeader.alignment, seed: seed, notBefore: nextNumber ?? 0)
        guard let later = next else { return }
        items.append(.gap(at..<later.offset))
        at = later.offset
        if later.header.kind == .mark { continue }
      }
      guard let frame = next else { return }
      note(frame)
      items.append(.frame(SegmentScan.checked(frame, bytes, seed: seed)))
      at = frame.end
    }
  }

  private mutating func note(_ frame: Frame) {
    found.append(frame.offset)
    durable = max(durable, frame.header.durable)
    switch frame.header.kind {
    case .mark:
      end = frame.offset
      nextNumber = frame.header.number
    case .batch:
      end = frame.end
      nextNumber = frame.header.number + 1
    }
  }

  /// Drops everything from an item on: it was never acknowledged. Gives the places of the frames dropped.
  mutating func cut(from item: Int) -> [Int] {
    if case .frame(let dropped) = items[item] {
      nextNumber = dropped.header.number
    } else if item > 0, case .frame(let last) = items[item - 1] {
      nextNumber = last.header.number + 1
    } else {
      nextNumber = firstNumber
    }
    end = items[item].range.lowerBound
    items.removeSubrange(item...)
    return found.filter { $0 >= end }
  }

  private static func frame(_ bytes: [UInt8], at offset: Int, seed: UInt32, notBefore number: UInt64) -> Frame? {
    guard let (header, records) = FrameHeader.read(bytes, at: offset, seed: seed), header.number >= number,
      header.number < .max
    else { return nil }
    return Frame(offset: offset, header: header, records: records, badRecords: [])
  }

  /// The first valid frame or mark at or after an offset.
  private static func search(
    _ bytes: [UInt8], from offset: Int, seed: UInt32, notBefore number: UInt64
  ) -> Frame? {
    var at = offset
    while let candidate = nextMagic(bytes, from: at) {
      if let frame = frame(bytes, at: candidate, seed: seed, notBefore: number) { return frame }
      at = candidate + FrameHeader.alignment
    }
    return nil
  }

  private static func nextMagic(_ bytes: [UInt8], from offset: Int) -> Int? {
    bytes.withUnsafeBytes { buffer in
      var at = offset
      while at + FrameHeader.bytes <= buffer.count {
        // SAFETY: `at` is not negative and four bytes from it lie within the buffer.
        let word = UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        if word == FrameHeader.Kind.batch.rawValue || word == FrameHeader.Kind.mark.rawValue { return at }
        at += FrameHeader.alignment
      }
      return nil
    }
  }

  /// The frame with the records named whose payloads are damaged.
  private static func checked(_ frame: Frame, _ bytes: [UInt8], seed: UInt32) -> Frame {
    var at = frame.payloadOffset
    var bad: [Int] = []
    bytes.withUnsafeBytes { buffer in
      for (position, record) in frame.records.enumerated() {
        // SAFETY: the frame was found to end within the bytes, and its payloads to add up to its length.
        let payload = UnsafeRawBufferPointer(rebasing: buffer[at..<at + record.payloadBytes])
        if CRC32C.checksum(payload, seed: seed) != record.checksum { bad.append(position) }
        at += record.payloadBytes
      }
    }
    return Frame(offset: frame.offset, header: frame.header, records: frame.records, badRecords: bad)
  }
}
