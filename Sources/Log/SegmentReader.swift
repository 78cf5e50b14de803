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

  /// The size that the file has, or had when its header was written.
  var wholeBytes: Int { min(max(bytes, header?.fileBytes ?? 0), LogOptions.greatestSegmentBytes.rawValue) }

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
  /// The parts that the file does not have or the disk could not read, as zeros in `bytes`, and why.
  private var unreadable: [(range: Range<Int>, reason: String)] = []

  /// Reads the first `count` bytes that a file has or should have.
  mutating func read(disk: any Disk, path: String, count: Int) throws(DiskError) {
    let file = try disk.open(path, .read)
    if bytes.count < count { bytes = [UInt8](repeating: 0, count: count) }
    bytes.removeLast(bytes.count - count)
    unreadable.removeAll()
    var failure: DiskError?
    var done = count
    bytes.withUnsafeMutableBytes { buffer in
      do throws(DiskError) {
        done = try file.read(at: 0, into: buffer)
        // SAFETY: `read` gives at most the buffer's size, and bytes may be initialised over bytes; the buffer is the
        // array's own for the length of the closure.
        UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).initializeMemory(as: UInt8.self, repeating: 0)
      } catch {
        failure = error
      }
    }
    if failure != nil {
      readBlocks(file)
    } else if done < count {
      unreadable.append((done..<count, SegmentReader.endOfFile(done)))
    }
  }

  private mutating func readBlocks(_ file: any DiskFile) {
    let blocks = stride(from: 0, to: bytes.count, by: SegmentReader.blockBytes)
    for start in blocks {
      let end = min(start + SegmentReader.blockBytes, bytes.count)
      do throws(DiskError) {
        let block = try file.read(at: UInt64(start), count: end - start)
        for (at, byte) in block.enumerated() { bytes[start + at] = byte }
        let missing = start + block.count..<end
        for at in missing { bytes[at] = 0 }
        if !missing.isEmpty { unreadable.append((missing, SegmentReader.endOfFile(missing.lowerBound))) }
      } catch {
        for at in start..<end { bytes[at] = 0 }
        unreadable.append((start..<end, "\(error)"))
      }
    }
  }

  private static func endOfFile(_ offset: Int) -> String { "the end of the file at byte \(offset)" }

  /// Where something can be read again after a range of which a part can't be.
  func endOfUnreadable(from range: Range<Int>) -> Int {
    var end = range.upperBound
    for part in unreadable where part.range.lowerBound <= end && part.range.upperBound > end {
      end = part.range.upperBound
    }
    return end
  }

  /// Why the first part of a range that can't be read can't; nil if all was read.
  func reason(in range: Range<Int>) -> String? { unreadable.first { $0.range.overlaps(range) }?.reason }
}
