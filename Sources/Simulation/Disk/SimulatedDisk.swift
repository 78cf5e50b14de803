import Bytes
import Environment
import Synchronization

/// A disk in memory that knows what is durable, and fails as it is told to.
///
/// - A file's unsynced changes are kept apart from what is durable. `crash` keeps some of them: none, all, a prefix,
///   or each 512-byte sector by itself, so that writes are torn and reordered.
/// - Creations, renamings and removals survive a crash as a prefix, in order, of each directory's changes since
///   `syncDirectory`; so does a new directory in its parent. Syncing a file does not make its name durable.
/// - After a failed sync the file's unsynced changes can be read until the crash, and no later sync saves them.
///
/// A test that must survive a crash at every step runs its subject once to count `steps`, then once for each step on
/// a `clone` with `powerOff(afterSteps:)`, calls `crash` and opens what is left.
public final class SimulatedDisk: Sendable {
  /// What a torn write is torn into.
  public static let sectorBytes = 512

  let volume: Mutex<SimulatedVolume>

  /// An empty disk that has these directories (parents first), durably, and room for `capacity` bytes of files,
  /// counted in pages of 4 KiB; nil for as many as there is memory.
  public convenience init(directories: [String] = [], capacity: Int? = nil) {
    var volume = SimulatedVolume()
    volume.capacity = capacity
    for path in directories {
      // A parent that was not named before is a mistake in the test that shows when it opens its first file.
      try? volume.createDirectory(path)
    }
    for node in volume.directories.keys { volume.commit(node, through: .max) }
    self.init(volume)
  }

  private init(_ volume: SimulatedVolume) { self.volume = Mutex(volume) }

  /// A disk of the same contents, durable and not, with the same faults to come. Files open here aren't open there.
  public func clone() -> SimulatedDisk {
    var copy = volume.withLock { $0 }
    copy.opened.removeAll()
    copy.sweep()
    return SimulatedDisk(copy)
  }

  /// Loses power and starts again: the disk then holds what survived, which the seed decides. Files opened before
  /// give ESTALE. Injected faults stay.
  public func crash(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    volume.withLock { $0.crash(&random) }
  }

  /// The process ends and its files are closed; the page cache stays, unsynced changes and all. Files opened before
  /// give ESTALE.
  public func closeFiles() {
    volume.withLock { volume in
      volume.opened.removeAll()
      volume.era += 1
      volume.isOff = false
      volume.stepsUntilPowerOff = nil
      volume.sweep()
    }
  }

  /// The files under a directory, with their sizes, by path.
  public func files(under directory: String) -> [(path: String, bytes: Int)] {
    volume.withLock { $0.files(under: directory) }
  }

  /// The paths of files that were removed and take up room nevertheless: they are open still.
  public var openButRemoved: [String] { volume.withLock { $0.openButRemoved } }

  /// The number of changes and syncs so far, failed ones included; reads don't count.
  public var steps: Int { volume.withLock { $0.steps } }

  /// Lets `count` more changes or syncs end and interrupts the one after: it fails with EIO, having changed what
  /// `crash` may or may not keep. Everything later fails with EIO until `crash`.
  public func powerOff(afterSteps count: Int) { volume.withLock { $0.stepsUntilPowerOff = count } }

  /// Adds something that goes wrong. Where several faults fit a call, the first added hits.
  public func inject(_ fault: DiskFault) { volume.withLock { $0.faults.append(fault) } }

  /// How many calls a fault has hit.
  public var faultHits: Int { volume.withLock { $0.faultHits } }

  /// Takes back all faults.
  public func clearFaults() { volume.withLock { $0.faults.removeAll() } }

  /// Sets the room for files in bytes; nil for no bound. A disk that holds more already is full.
  public func setCapacity(_ bytes: Int?) { volume.withLock { $0.capacity = bytes } }

  /// Flips bits of a byte at rest, durably. Does nothing where the file does not exist or ends before.
  public func flip(_ path: String, at offset: Int, mask: UInt8 = 1) {
    volume.withLock { volume in
      if let node = volume.find(path) { volume.files[node]?.flip(mask, at: offset) }
    }
  }

  /// Where a file's last byte that is not zero ends.
  public func usedBytes(_ path: String) -> Int {
    volume.withLock { volume in
      guard let node = volume.find(path), let file = volume.files[node] else { return 0 }
      var bytes = [UInt8](repeating: 0, count: file.count)
      // SAFETY: a read fills at most the buffer, which is as long as the file.
      bytes.withUnsafeMutableBytes { _ = file.cache.read(at: 0, into: $0) }
      return (bytes.lastIndex { $0 != 0 } ?? -1) + 1
    }
  }

  /// The sectors that a range of bytes touches.
  static func sectors(of range: Range<Int>) -> Range<Int> {
    range.isEmpty ? 0..<0 : range.lowerBound / sectorBytes..<(range.upperBound + sectorBytes - 1) / sectorBytes
  }
}

extension SimulatedVolume {
  /// Counts a call and decides whether it fails.
  /// - Returns: an error that the call must end with after it has taken effect: power went off within it.
  mutating func begin(
    _ kind: DiskOperation.Kind, _ name: String, _ path: String, offset: UInt64 = 0, count: Int = 0
  ) throws(DiskError) -> DiskError? {
    let powerFailure = DiskError(operation: name, path: path, code: DiskFault.inputOutput)
    if isOff { throw powerFailure }
    let isStep = DiskOperation.isStep(kind)
    if isStep {
      steps += 1
      if let left = stepsUntilPowerOff {
        stepsUntilPowerOff = left - 1
        isOff = left <= 0
      }
    }
    let operation = DiskOperation(kind: kind, path: path, offset: offset, count: count, step: isStep ? steps : 0)
    quietFault = nil
    if let hit = faults.firstIndex(where: { $0.remaining != 0 && $0.condition(operation) }) {
      faults[hit].remaining = faults[hit].remaining.map { $0 - 1 }
      faultHits += 1
      guard case .fails(let code) = faults[hit].effect else {
        quietFault = faults[hit].effect
        return isOff ? powerFailure : nil
      }
      throw DiskError(operation: name, path: path, code: code)
    }
    return isOff ? powerFailure : nil
  }
}
