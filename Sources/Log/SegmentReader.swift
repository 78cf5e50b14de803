import Bytes
import Environment

/// What is in one file of a log's directory before its frames are looked at.
struct SegmentFile {
  let sequence: UInt64
  let bytes: Int
  let reading: SegmentHeader.Reading

  /// The header, if it is valid and belongs to this file: one that was renamed to be written anew has another number.
  var header: SegmentHeader? {
    if case .header(let header) = reading, header.sequence == sequence { header } else { nil }
  }

  /// The valid header of another segment.
  var foreign: SegmentHeader? {
    if case .header(let header) = reading, header.sequence != sequence { header } else { nil }
  }

  /// Reads the head of a file.
  init(disk: any Disk, path: String, sequence: UInt64) throws(DiskError) {
    let file = try disk.open(path, .read)
    let size = try file.size()
    self.sequence = sequence
    bytes = Int(clamping: size)
    var head: [UInt8] = []
    for sector in 0..<2 {
      let start = sector * SegmentHeader.copyOffset
      do throws(DiskError) {
        head += try file.read(at: UInt64(start), count: SegmentHeader.copyOffset)
      } catch {
        // An unreadable copy counts as a damaged one, so it must not look blank.
        head += [UInt8](repeating: 0xff, count: SegmentHeader.copyOffset)
      }
    }
    reading = SegmentHeader.read(head)
  }
}

/// Reads whole segments, one after the other, into the same memory.
struct SegmentReader {
  /// The unit in which a segment is read that can't be read at once.
  private static let blockBytes = 4096

  private(set) var bytes: [UInt8] = []
  /// The parts that the disk could not read, as zeros in `bytes`.
  private(set) var unreadable: [(range: Range<Int>, error: DiskError)] = []

  /// Reads the first `count` bytes of a file; zeros where it is shorter.
  mutating func read(disk: any Disk, path: String, count: Int) throws(DiskError) {
    let file = try disk.open(path, .read)
    if bytes.count < count { bytes = [UInt8](repeating: 0, count: count) }
    bytes.removeLast(bytes.count - count)
    unreadable.removeAll()
    var failure: DiskError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(DiskError) {
        let done = try file.read(at: 0, into: buffer)
        // SAFETY: `read` gives at most the buffer's size, and bytes may be initialised over bytes; the buffer is the
        // array's own for the length of the closure.
        UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).initializeMemory(as: UInt8.self, repeating: 0)
      } catch {
        failure = error
      }
    }
    if failure != nil { readBlocks(file) }
  }

  private mutating func readBlocks(_ file: any DiskFile) {
    let blocks = stride(from: 0, to: bytes.count, by: SegmentReader.blockBytes)
    for start in blocks {
      let end = min(start + SegmentReader.blockBytes, bytes.count)
      do throws(DiskError) {
        let block = try file.read(at: UInt64(start), count: end - start)
        for (at, byte) in block.enumerated() { bytes[start + at] = byte }
        for at in start + block.count..<end { bytes[at] = 0 }
      } catch {
        for at in start..<end { bytes[at] = 0 }
        unreadable.append((start..<end, error))
      }
    }
  }

  /// Where the disk can read again after an offset that it can't read.
  func endOfUnreadable(from offset: Int) -> Int {
    var end = offset
    for (range, _) in unreadable where range.lowerBound <= end && range.upperBound > end { end = range.upperBound }
    return end
  }

  /// The disk's error for the first unreadable part of a range.
  func error(in range: Range<Int>) -> DiskError? { unreadable.first { $0.range.overlaps(range) }?.error }
}
