import Bytes
public import Environment

/// An order for a segment to be made ahead of need, away from the log's thread, which goes on meanwhile.
///
/// The file gets a name of its own, by which no recovery takes it for a segment. `SharedLog.endSpare` gives it a number.
public struct SpareSegment: Sendable {
  /// The file's name while it is made.
  static let name = "spare.tmp"
  /// Zeros are written and synced in pieces of this size, so that a batch of the log waits for one at most.
  private static let pieceBytes = 1 << 20

  let disk: any Disk
  let path: String
  let bytes: Int

  /// Writes the zeros and syncs them; blocks meanwhile. Where it fails it leaves nothing behind, and the log is as
  /// before.
  public func make() throws(DiskError) {
    if disk.exists(path) { try disk.remove(path) }
    let file = try disk.open(path, .create)
    do throws(DiskError) {
      let zeros = [UInt8](repeating: 0, count: min(SpareSegment.pieceBytes, bytes))
      for start in stride(from: 0, to: bytes, by: zeros.count) {
        try file.write(start + zeros.count <= bytes ? zeros : Array(zeros[..<(bytes - start)]), at: UInt64(start))
        try file.sync()
      }
    } catch {
      // Half a segment is of no use, and takes room on a full disk.
      try? disk.remove(path)
      throw error
    }
  }
}

extension SharedLog {
  /// An order for a segment, if none waits and none is being made. To be carried out on another thread; the log is then
  /// told by `endSpare`.
  public func beginSpare() -> SpareSegment? {
    guard failure == nil, !isMakingSpare, files.spareCount == 0 else { return nil }
    isMakingSpare = true
    return files.spareOrder
  }

  /// Takes the segment over that `beginSpare` ordered, if it was made, durably: the next one that is needed is there.
  /// `LogError.full` and `LogError.failed` as for `append`.
  public func endSpare(isMade: Bool) throws(LogError) {
    isMakingSpare = false
    guard isMade else { return }
    if let failure { throw .failed(failure) }
    do throws(DiskError) { try files.adoptSpare() } catch { throw refuse(error) }
  }
}
