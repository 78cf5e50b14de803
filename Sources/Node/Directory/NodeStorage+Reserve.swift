import Bytes
import Environment

// Room that a full disk still has for what must go on: the log, flushes, compactions, the catalog (DESIGN §5).
extension NodeStorage {
  /// What a look at the disk came to.
  struct Space: Sendable {
    /// The bytes free; nil where the system doesn't say.
    let free: UInt64?
    /// Whether the reserve is there.
    let hasReserve: Bool
  }

  private var reservePath: String { NodeDirectory.reservePath(directory) }

  /// With less room than this the disk counts as full.
  var leastFree: UInt64 { UInt64(reserveBytes.rawValue) / 4 }

  /// Looks how much room there is, and makes the reserve where it is missing and there is room for it and more. Blocks.
  func lookAtSpace() -> Space {
    let free = try? disk.freeBytes(directory)
    if !hasReserve, let free, free >= UInt64(reserveBytes.rawValue) + UInt64(Limits.roomToGoOn.rawValue) {
      // Without room for it the disk counts as full for longer.
      try? makeReserve()
    }
    return Space(free: free, hasReserve: hasReserve)
  }

  private var hasReserve: Bool { reserveBytes.rawValue == 0 || disk.exists(reservePath) }

  /// Zeros, not a hole: they take their room now.
  private func makeReserve() throws(DiskError) {
    let temporary = reservePath + ".tmp"
    if disk.exists(temporary) { try disk.remove(temporary) }
    let file = try disk.open(temporary, .create)
    do throws(DiskError) {
      let zeros = [UInt8](repeating: 0, count: min(reserveBytes.rawValue, 1 << 20))
      for start in stride(from: 0, to: reserveBytes.rawValue, by: zeros.count) {
        try file.write(Array(zeros.prefix(reserveBytes.rawValue - start)), at: UInt64(start))
        try file.sync()
      }
      try disk.rename(temporary, to: reservePath)
    } catch {
      try? disk.remove(temporary)
      throw error
    }
  }

  /// Gives the reserve's room to whoever needs it.
  func releaseReserve() {
    // Where it is gone already, there is nothing more to give.
    try? disk.remove(reservePath)
  }

  /// Gives the reserve up before anything else is opened, where a node starts on a disk that is full.
  static func releaseReserve(_ directory: String, of bytes: ByteCount, on disk: any Disk) {
    guard let free = try? disk.freeBytes(directory), free < UInt64(bytes.rawValue) / 4 else { return }
    try? disk.remove(NodeDirectory.reservePath(directory))
  }
}
