import Bytes
import Wire

/// Why a write was not made: its condition was false, or there was nothing to delete. Where a copy of the request may
/// be on its way yet, this goes into the log as the outcome of the request id, and no copy is applied after it: from
/// cluster format 4 on.
///
///     which write of a batch, from 1, or 0 for one by itself varint | the version found at its key, or 0 u64
struct Refusal: Equatable {
  /// The cluster format from which on logs and session tables may hold it.
  static let format: UInt32 = 4

  let present: Version
  let write: UInt32

  init(write: UInt32, present: Version) {
    self.write = write
    self.present = present
  }

  func encode(into writer: inout ByteWriter) {
    writer.varint(UInt64(write))
    writer.u64(present.rawValue)
  }

  init(from reader: inout ByteReader) throws(ByteError) {
    write = UInt32(try reader.count(limit: Limits.atomicWrites))
    present = Version(rawValue: try reader.u64())
  }
}
