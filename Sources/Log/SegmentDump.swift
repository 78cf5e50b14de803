public import Bytes
public import Environment

/// Says of every byte of a log segment what it means, frame by frame, damaged or not. Reads only.
public enum SegmentDump {
  /// Calls `emit` with the lines in order. Gives the number of faults; the torn end of the last segment counts as one,
  /// since a segment alone does not tell it from damage.
  public static func run(
    disk: any Disk, path: String, _ emit: @escaping (DumpLine) -> Void
  ) throws(DiskError) -> Int {
    let bytes = try disk.contents(of: path, limit: LogOptions.greatestSegmentBytes.rawValue)
    let reading = SegmentHeader.read(Array(bytes.prefix(SegmentHeader.blockBytes)))
    if reading == .blank {
      emit(DumpLine(offset: 0, bytes: [], note: "blank: a segment made ahead"))
      return 0
    }
    var faults = 0
    for start in [0, SegmentHeader.copyOffset] where start + SegmentHeader.bytes <= bytes.count {
      if !header(Array(bytes[start..<start + SegmentHeader.bytes]), at: start, emit) { faults += 1 }
    }
    guard case .header(let header) = reading else {
      emit(DumpLine(offset: 0, bytes: [], note: "no header by which to read the frames"))
      return max(1, faults)
    }
    let seed = SegmentHeader.seed(identity: header.identity, sequence: header.sequence)
    let scan = SegmentScan(bytes, seed: seed, firstNumber: header.firstFrame)
    for item in scan.items {
      switch item {
      case .gap(let range):
        faults += 1
        let shown = Array(bytes[range.lowerBound..<min(range.upperBound, range.lowerBound + 64)])
        emit(
          DumpLine(
            offset: UInt64(range.lowerBound), bytes: shown,
            note: "damaged: \(range.count) bytes that hold no valid frame"))
      case .frame(let found):
        faults += found.badRecords.count
        frame(Array(bytes[found.offset..<found.end]), found, emit)
      }
    }
    if bytes.count < header.fileBytes {
      faults += 1
      emit(
        DumpLine(
          offset: UInt64(bytes.count), bytes: [],
          note: "damaged: the file ends here, and had \(header.fileBytes) bytes"))
    }
    let end = UInt64(scan.end)
    emit(DumpLine(offset: end, bytes: [], note: "the end: \(bytes.count - scan.end) bytes behind it count for nothing"))
    return faults
  }

  private static func header(_ bytes: [UInt8], at offset: Int, _ emit: @escaping (DumpLine) -> Void) -> Bool {
    var fields = Annotator(bytes, at: UInt64(offset), emit)
    let expected = CRC32C.checksum(Array(bytes[..<(SegmentHeader.bytes - 4)]))
    do throws(ByteError) {
      try fields.text(SegmentHeader.magic.count)
      try fields.u32("format version")
      try fields.u32("bytes of the file:")
      try fields.u64("identity")
      try fields.u64("segment")
      try fields.u64("first frame")
      try position(&fields, "the log before ends at")
      try fields.u64("oldest segment needed")
      try fields.u32("flags")
      let stored = try fields.take({ (reader) throws(ByteError) in try reader.u32() }) {
        $0 == expected ? "CRC-32C" : "CRC-32C: damaged: expected \(String(expected, radix: 16))"
      }
      return stored == expected
    } catch {
      return false
    }
  }

  private static func position(_ fields: inout Annotator, _ name: String) throws(ByteError) {
    try fields.take({ (reader) throws(ByteError) in LogPosition(rawValue: try reader.u64()) }) {
      "\(name) byte \($0.offset) of segment \($0.sequence)"
    }
  }

  private static func frame(_ bytes: [UInt8], _ found: SegmentScan.Frame, _ emit: @escaping (DumpLine) -> Void) {
    var fields = Annotator(bytes, at: UInt64(found.offset), emit)
    do throws(ByteError) {
      try fields.text(4)
      try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { _ in "CRC-32C of the headers" })
      try fields.u64("frame")
      try position(&fields, "durable up to")
      try fields.u64("oldest segment needed")
      try fields.u32("records:")
      try fields.u32("bytes of payloads:")
      for record in found.records { try head(&fields, record) }
      for (number, record) in found.records.enumerated() {
        let isBad = found.badRecords.contains(number)
        try fields.take({ (reader) throws(ByteError) in try reader.bytes(record.payloadBytes) }) { _ in
          "payload of group \(record.group)" + (isBad ? ": damaged: another checksum" : "")
        }
      }
      fields.rest("padding")
    } catch {
      fields.rest("damaged: \(error)")
    }
  }

  private static func head(_ fields: inout Annotator, _ record: RecordHeader) throws(ByteError) {
    let names: [(RecordFlags, String)] = [
      (.hardState, "hard state"), (.reset, "reset"), (.compacted, "compacted"), (.removed, "removed"),
      (.entries, "entries"), (.checkpoint, "checkpoint"),
    ]
    try fields.u32("group")
    try fields.u32("bytes of payload:")
    try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { _ in "CRC-32C of the payload" })
    try fields.take({ (reader) throws(ByteError) in try reader.u32() }) { _ in
      names.filter { record.flags.contains($0.0) }.map(\.1).joined(separator: ", ")
    }
    try fields.u64("ordinal")
    try fields.u64("first index")
    try fields.u64("last index")
  }
}
