import Bytes
import Environment

/// A segment that frames are written to.
struct Segment {
  let file: any DiskFile
  let sequence: UInt64
  let bytes: Int
  let seed: UInt32
}

/// The files of a log's directory: live segments, and spare ones after them that wait to be written.
struct SegmentFiles {
  struct Live: Equatable {
    let sequence: UInt64
    let bytes: Int
  }

  /// What the name of a segment ends with that was set aside with a loss.
  static let damagedSuffix = ".log.damaged"
  /// What the name of one ends with that was set aside with nothing lost.
  private static let mendedSuffix = ".log.mended"
  /// The name of a segment that is made where there is no spare, until it is whole.
  private static let unfinishedName = "segment.tmp"
  /// Zeros are written in pieces of this size.
  private static let zeroBytes = 1 << 20

  let disk: any Disk
  let directory: String
  let options: LogOptions
  /// The segments that hold frames, oldest first; the last one is written to.
  private(set) var live: [Live] = []
  /// The live segments in which records of unknown groups were lost: when they aren't needed any more they are set
  /// aside, not written again, so that the loss stays known.
  var damaged: Set<UInt64> = []
  /// The live segments that were found damaged while all that they say was known: they are set aside as well, and no loss
  /// is told of them.
  var mended: Set<UInt64> = []
  /// The number of spare files, which have the sequence numbers after the last live one.
  private(set) var spareCount = 0

  init(disk: any Disk, directory: String, options: LogOptions) {
    self.disk = disk
    self.directory = directory
    self.options = options
  }

  /// The file of a segment: its number in 16 hexadecimal digits, `.log`.
  func path(_ sequence: UInt64) -> String {
    let digits = String(sequence, radix: 16)
    return directory + "/" + String(repeating: "0", count: 16 - digits.count) + digits + ".log"
  }

  /// The number in a segment's file name, or nil for other files.
  static func sequence(ofName name: String) -> UInt64? {
    let digits = name.dropLast(4)
    guard name.hasSuffix(".log"), digits.utf8.count == 16, let sequence = UInt64(digits, radix: 16),
      digits == digits.lowercased(), sequence > 0, sequence < 1 << 32
    else { return nil }
    return sequence
  }

  private var nextSequence: UInt64 { (live.last?.sequence ?? 0) + 1 }

  /// Makes the file after the last live one live, and gives it; it has at least `bytes` bytes, all allocated. A spare that
  /// is gone is made anew.
  mutating func advance(bytes: Int) throws(DiskError) -> (file: any DiskFile, sequence: UInt64, bytes: Int) {
    let sequence = nextSequence
    let needed = max(options.segmentBytes.rawValue, (bytes + 4095) / 4096 * 4096)
    let file: any DiskFile
    if spareCount == 0 || !disk.exists(path(sequence)) {
      file = try create(sequence, bytes: needed)
    } else {
      file = try disk.open(path(sequence), .readWrite)
      if needed > options.segmentBytes.rawValue {
        try SegmentFiles.writeZeros(file, options.segmentBytes.rawValue..<needed)
        try file.sync()
      }
    }
    spareCount = max(0, spareCount - 1)
    live.append(Live(sequence: sequence, bytes: needed))
    return (file, sequence, needed)
  }

  /// The order for a spare that is made on another thread.
  var spareOrder: SpareSegment {
    SpareSegment(disk: disk, path: directory + "/" + SpareSegment.name, bytes: options.segmentBytes.rawValue)
  }

  /// Gives the file that was made by order the number after the last spare, durably.
  mutating func adoptSpare() throws(DiskError) {
    let made = spareOrder.path
    guard spareCount < options.spareSegments else { return try disk.remove(made) }
    try disk.rename(made, to: path(nextSequence + UInt64(spareCount)))
    spareCount += 1
    try disk.syncDirectory(directory)
  }

  /// Removes what a crash left of segments that were being made.
  func removeUnfinished() throws(DiskError) {
    for path in [spareOrder.path, directory + "/" + SegmentFiles.unfinishedName] where disk.exists(path) {
      try disk.remove(path)
    }
  }

  /// Makes a spare if there is none, before the log is in use.
  mutating func prepare() throws(DiskError) {
    guard spareCount == 0 else { return }
    _ = try create(nextSequence, bytes: options.segmentBytes.rawValue)
    spareCount = 1
  }

  /// A file of zeros, durable with its name: overwriting it later changes no metadata, so that syncing it is fast. It
  /// gets its name when it is whole, so that one that is too short was cut.
  private func create(_ sequence: UInt64, bytes: Int) throws(DiskError) -> any DiskFile {
    var made = directory + "/" + SegmentFiles.unfinishedName
    if disk.exists(made) { try disk.remove(made) }
    let file = try disk.open(made, .create)
    do throws(DiskError) {
      try SegmentFiles.writeZeros(file, 0..<bytes)
      try file.sync()
      try disk.rename(made, to: path(sequence))
      made = path(sequence)
      try disk.syncDirectory(directory)
      return try disk.open(made, .readWrite)
    } catch {
      // Half a segment is of no use, and takes room on a full disk.
      try? disk.remove(made)
      throw error
    }
  }

  /// Makes a file as large again as it was before something was cut from it.
  static func restore(_ file: any DiskFile, bytes: Int) throws(DiskError) {
    let size = Int(clamping: try file.size())
    if size < bytes { try writeZeros(file, size..<bytes) }
  }

  private static func writeZeros(_ file: any DiskFile, _ range: Range<Int>) throws(DiskError) {
    let zeros = [UInt8](repeating: 0, count: min(zeroBytes, range.count))
    var at = range.lowerBound
    while at < range.upperBound {
      let count = min(zeros.count, range.upperBound - at)
      try file.write(count == zeros.count ? zeros : Array(zeros[..<count]), at: UInt64(at))
      at += count
    }
  }

  /// Makes spares of the live segments below a number, or removes what is too much. One whose file is gone is let go all
  /// the same.
  mutating func retire(below oldest: UInt64) throws(DiskError) {
    let retired = live.prefix { $0.sequence < oldest }
    guard !retired.isEmpty else { return }
    live.removeFirst(retired.count)
    for segment in retired {
      do throws(DiskError) {
        try recycle(segment.sequence, bytes: segment.bytes)
      } catch {
        guard error.isNotFound else { throw error }
      }
    }
  }

  /// Takes over a live segment when a log is opened: they come in ascending order.
  mutating func adopt(_ sequence: UInt64, bytes: Int) { live.append(Live(sequence: sequence, bytes: bytes)) }

  /// Makes a spare of a file that is no live segment, or removes it, durably: of two files that get numbers, none may
  /// have the second while none has the first. A file with a blank header, which doesn't say what it was, gets no other
  /// number.
  mutating func recycle(_ sequence: UInt64, bytes: Int, isBlank: Bool = false) throws(DiskError) {
    let target = nextSequence + UInt64(spareCount)
    if let suffix = suffixAside(sequence) {
      let path = path(sequence)
      try disk.rename(path, to: path.dropLast(4) + suffix)
    } else if target == sequence, spareCount < options.spareSegments {
      if bytes != options.segmentBytes.rawValue { try resizeSpare(sequence) }
      spareCount += 1
      return
    } else if bytes == options.segmentBytes.rawValue, spareCount < options.spareSegments, !isBlank {
      try disk.rename(path(sequence), to: path(target))
      spareCount += 1
    } else {
      try disk.remove(path(sequence))
    }
    try disk.syncDirectory(directory)
  }

  /// Makes a spare of a file of which neither copy of the header is whole; one that can't be written is set aside, as
  /// one is that has lost something.
  mutating func clearHeader(_ sequence: UInt64) throws(DiskError) {
    guard !damaged.contains(sequence) else { return }
    do throws(DiskError) {
      let file = try disk.open(path(sequence), .readWrite)
      try file.write([UInt8](repeating: 0, count: SegmentHeader.blockBytes), at: 0)
      try file.sync()
    } catch {
      guard !error.isDiskFull else { throw error }
      damaged.insert(sequence)
    }
  }

  /// What the name of a segment shall end with that isn't to be written again; nil for all others.
  private mutating func suffixAside(_ sequence: UInt64) -> String? {
    let isMended = mended.remove(sequence) != nil
    return damaged.remove(sequence) != nil ? SegmentFiles.damagedSuffix : isMended ? SegmentFiles.mendedSuffix : nil
  }

  /// A spare that was to become a larger segment when the process ended, or is from before the size was changed.
  private func resizeSpare(_ sequence: UInt64) throws(DiskError) {
    let file = try disk.open(path(sequence), .readWrite)
    try SegmentFiles.restore(file, bytes: options.segmentBytes.rawValue)
    try file.truncate(to: UInt64(options.segmentBytes.rawValue))
    try file.sync()
  }

  /// The bytes of all live segments from one on.
  func bytes(from sequence: UInt64 = 0) -> Int {
    live.reduce(0) { $1.sequence >= sequence ? $0 + $1.bytes : $0 }
  }
}
