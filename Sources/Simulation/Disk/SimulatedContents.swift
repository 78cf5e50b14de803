import Bytes

/// A simulated file: what programs read, what is on the platter, and the changes between the two.
struct SimulatedContents {
  private enum Change {
    case write(offset: Int, bytes: [UInt8])
    case resize(Int)
  }

  /// What reads see: the page cache.
  private(set) var cache = PagedBytes()
  /// The page cache as of the last attempt to sync.
  private var base = PagedBytes()
  /// What a crash leaves at least.
  private var platter = PagedBytes()
  /// The changes since the last attempt to sync, in order.
  private var pending: [Change] = []

  var count: Int { cache.count }

  /// SAFETY: here as below the bytes are lent for the call and copied.
  mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    cache.write(bytes, at: offset)
    pending.append(.write(offset: offset, bytes: Array(bytes)))
  }

  /// A write that the disk loses: only the page cache ever has it.
  mutating func writeToCache(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    cache.write(bytes, at: offset)
  }

  mutating func resize(to count: Int) {
    cache.resize(to: count)
    pending.append(.resize(count))
  }

  /// Makes the changes durable: whole pages, as a kernel writes them.
  mutating func sync() {
    platter.resize(to: cache.count)
    for change in pending {
      switch change {
      case .write(let offset, let bytes):
        let page = PagedBytes.pageBytes
        let end = (offset + bytes.count + page - 1) / page * page
        platter.copy(offset / page * page..<end, from: cache)
      case .resize(let count):
        platter.copy(Swift.min(count, cache.count)..<cache.count, from: cache)
      }
    }
    forgetChanges()
  }

  /// A failed sync: the changes can still be read but count as clean, so that no later sync writes them
  /// (Rebello et al., "Can Applications Recover from fsync Failures?", ATC'20).
  mutating func failSync() { forgetChanges() }

  private mutating func forgetChanges() {
    base = cache
    pending.removeAll()
  }

  /// Flips bits at rest: in the cache as well, which would have to be read again.
  mutating func flip(_ mask: UInt8, at offset: Int) {
    cache.flip(mask, at: offset)
    base.flip(mask, at: offset)
    platter.flip(mask, at: offset)
  }

  /// Loses power. Of the unsynced changes none survives, or all, or a prefix, or each sector as it was after some
  /// number of the changes to it, and the size as it was after some number of changes.
  mutating func crash(_ random: inout SplitMix64) {
    let total = pending.count
    let fate = Int.random(in: 0..<4, using: &random)
    let prefix = fate == 0 ? 0 : fate == 1 ? total : Int.random(in: 0...total, using: &random)
    let isTorn = fate == 3
    var kept: [Int: Int] = [:]
    let keptSize = isTorn ? Int.random(in: 0...total, using: &random) : prefix
    var size = platter.count
    var replay = base
    for (order, change) in pending.enumerated() {
      let touched: Range<Int>
      switch change {
      case .write(let offset, let bytes):
        bytes.withUnsafeBytes { replay.write($0, at: offset) }
        touched = offset..<offset + bytes.count
      case .resize(let count):
        touched = Swift.min(count, replay.count)..<Swift.max(count, replay.count)
        replay.resize(to: count)
      }
      if order < keptSize { size = replay.count }
      if platter.count < replay.count { platter.resize(to: replay.count) }
      for sector in SimulatedDisk.sectors(of: touched) {
        if isTorn, kept[sector] == nil { kept[sector] = Int.random(in: 0...total, using: &random) }
        guard order < kept[sector] ?? prefix else { continue }
        let start = sector * SimulatedDisk.sectorBytes
        // A sector that the change cut off is zeros if the file is longer in the end.
        if start >= replay.count { replay.resize(to: start + SimulatedDisk.sectorBytes) }
        platter.copy(start..<start + SimulatedDisk.sectorBytes, from: replay)
      }
      if case .resize(let count) = change { replay.resize(to: count) }
    }
    platter.resize(to: size)
    cache = platter
    forgetChanges()
  }
}
