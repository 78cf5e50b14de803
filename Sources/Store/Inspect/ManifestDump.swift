public import Bytes
public import Environment
import Merkle
import Table

/// Says of every byte of a manifest what it means, frame by frame, damaged or not. Reads only.
public enum ManifestDump {
  /// Calls `emit` with the lines in order. Gives the number of faults; a torn last edit counts as one.
  public static func run(
    disk: any Disk, path: String, _ emit: @escaping (DumpLine) -> Void
  ) throws(DiskError) -> Int {
    let bytes = try disk.contents(of: path, limit: ManifestFormat.maximumBytes)
    guard bytes.count >= ManifestFormat.headerBytes else {
      emit(DumpLine(offset: 0, bytes: bytes, note: "damaged: shorter than a header"))
      return 1
    }
    let head = Array(bytes[..<ManifestFormat.headerBytes])
    var fields = Annotator(head, at: 0, emit)
    do throws(ByteError) {
      try fields.text(8)
      try fields.u32("format version")
      try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { _ in "CRC-32C" })
    } catch {
      fields.rest("damaged: \(error)")
    }
    var faults = head == ManifestFormat.header() ? 0 : 1
    if faults > 0 { emit(DumpLine(offset: 0, bytes: [], note: "damaged header")) }
    var at = ManifestFormat.headerBytes
    while at < bytes.count {
      do throws(ByteError) {
        let frame = try ManifestFormat.readFrame(bytes, at: at)
        try self.frame(Array(bytes[at..<frame.payload.upperBound]), at: UInt64(at), emit)
        at = frame.payload.upperBound
      } catch {
        faults += 1
        let next = ManifestFormat.firstSeal(in: bytes, from: at + 1)
        let end = next ?? bytes.count
        emit(
          DumpLine(
            offset: UInt64(at), bytes: Array(bytes[at..<end].prefix(64)),
            note: "damaged: \(error)" + (next == nil ? "; nothing says that it was ever durable" : "")))
        at = end
      }
    }
    return faults
  }

  private static func frame(
    _ bytes: [UInt8], at offset: UInt64, _ emit: @escaping (DumpLine) -> Void
  ) throws(ByteError) {
    var fields = Annotator(bytes, at: offset, emit)
    try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { _ in "CRC-32C" })
    try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { "\($0) bytes of payload" })
    let type = try fields.take({ (reader) throws(ByteError) in try reader.u8() }) {
      "type \($0): \(ManifestFormat.FrameType(rawValue: $0).map { "\($0)" } ?? "unknown")"
    }
    guard type == ManifestFormat.FrameType.edit.rawValue else { return try seal(&fields) }
    while !fields.isAtEnd { try field(&fields) }
  }

  private static func seal(_ fields: inout Annotator) throws(ByteError) {
    try fields.u64("all before is durable:")
  }

  private static func field(_ fields: inout Annotator) throws(ByteError) {
    switch try fields.take({ (reader) throws(ByteError) in try reader.u8() }, { "field \($0)" }) {
    case 1: try fields.u64("next number")
    case 2: try state(&fields)
    case 3: try fields.u64("removed: table")
    case 4: try table(&fields)
    case 5:
      try fields.u64("floor")
      for _ in 0..<(try fields.u32("pins:")) { try fields.u64("pin") }
    default: fields.rest("not understood")
    }
  }

  private static func state(_ fields: inout Annotator) throws(ByteError) {
    for name in [
      "applied index", "applied term", "arc start", "arc length", "epoch", "last version", "closed version",
    ] { try fields.u64(name) }
    for name in ["membership", "sessions", "further state"] {
      try fields.take({ (reader) throws(ByteError) in try reader.string(limit: ManifestFormat.maximumBytes) }) {
        "\(name): \($0.count) bytes"
      }
    }
  }

  private static func table(_ fields: inout Annotator) throws(ByteError) {
    try fields.take({ (reader) throws(ByteError) in try reader.varint() }, { "a table, \($0) bytes" })
    try fields.u64("number")
    try fields.take({ (reader) throws(ByteError) in try reader.u8() }) {
      "tier \($0): \(Tier(rawValue: $0).map { "\($0)" } ?? "unknown")"
    }
    try fields.take({ (reader) throws(ByteError) in try reader.u8() }, { "level \($0)" })
    try fields.u64("bytes of file:")
    try fields.u64("records:")
    try fields.take({ (reader) throws(ByteError) in try reader.bytes(SHA256.digestBytes) }, { _ in "SHA-256" })
  }
}
