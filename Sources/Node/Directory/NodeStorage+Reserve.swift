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
    /// Whether the node's directory was removed under it, or another put in its place: what it writes from now on nobody
    /// will find.
    let isGone: Bool
    /// Whether so little is free that no writes can be taken.
    let isFull: Bool
    /// Whether so much is free that writes can be taken again.
    let isAmple: Bool

    init(free: UInt64?, hasReserve: Bool, reserveBytes: ByteCount, isGone: Bool) {
      self.free = free
      self.hasReserve = hasReserve
      self.isGone = isGone
      let toGoOn = UInt64(Limits.roomToGoOn.rawValue)
      isFull = (free ?? .max) < (hasReserve ? UInt64(reserveBytes.rawValue) / 4 : toGoOn)
      isAmple = hasReserve && (free ?? 0) >= toGoOn
    }
  }

  private var reservePath: String { NodeDirectory.reservePath(directory) }

  /// Looks how much room there is, and makes the reserve where it is missing and there is room for it and more. Blocks.
  func lookAtSpace() -> Space {
    let free = try? disk.freeBytes(directory)
    if !hasReserve, let free, free >= UInt64(reserveBytes.rawValue) + UInt64(Limits.roomToGoOn.rawValue) {
      // Without room for it the disk counts as full for longer.
      try? makeReserve()
    }
    return Space(free: free, hasReserve: hasReserve, reserveBytes: reserveBytes, isGone: isGone)
  }

  private var isGone: Bool {
    if lock?.isInPlace == false { return true }
    do throws(DiskError) {
      _ = try disk.open(NodeDirectory.formatPath(directory), .read)
      return false
    } catch {
      return error.isNotFound
    }
  }

  private var hasReserve: Bool { reserveBytes.rawValue == 0 || disk.exists(reservePath) }

  /// Not a hole: its room is taken now.
  private func makeReserve() throws(DiskError) {
    let temporary = reservePath + ".tmp"
    if disk.exists(temporary) { try disk.remove(temporary) }
    let file = try disk.open(temporary, .create)
    do throws(DiskError) {
      try file.allocate(reserveBytes.rawValue)
      try file.sync()
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

  /// Gives the reserve up before anything else is opened, where a node starts on a disk that is full; says whether it is.
  static func releaseReserveIfFull(_ directory: String, of bytes: ByteCount, on disk: any Disk) -> Bool {
    let path = NodeDirectory.reservePath(directory)
    let hasReserve = bytes.rawValue == 0 || disk.exists(path)
    let space = Space(
      free: try? disk.freeBytes(directory), hasReserve: hasReserve, reserveBytes: bytes, isGone: false)
    if space.isFull { try? disk.remove(path) }
    return space.isFull
  }
}
