import Bytes
public import Environment
import Synchronization

extension SimulatedDisk: Disk {
  public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
    try volume.withLock { (volume) throws(DiskError) -> any DiskFile in
      let node: SimulatedVolume.Node
      if case .create = mode {
        let interrupted = try volume.begin(.create, "create", path)
        node = try volume.create(path)
        if let interrupted { throw interrupted }
      } else {
        _ = try volume.begin(.open, "open", path)
        node = try volume.existing(path, "open")
        guard volume.files[node] != nil else {
          throw DiskError(operation: "open", path: path, code: Errno.isDirectory)
        }
      }
      volume.opened[node, default: .init()].count += 1
      volume.opened[node]?.path = path
      let isWritable = if case .read = mode { false } else { true }
      return SimulatedFile(disk: self, path: path, node: node, era: volume.era, isWritable: isWritable)
    }
  }

  public func rename(_ path: String, to newPath: String) throws(DiskError) {
    try change(.rename, "rename", path) { (volume) throws(DiskError) in try volume.rename(path, to: newPath) }
  }

  public func link(_ path: String, to newPath: String) throws(DiskError) {
    try change(.link, "link", path) { (volume) throws(DiskError) in try volume.link(path, to: newPath) }
  }

  public func remove(_ path: String) throws(DiskError) {
    try change(.remove, "remove", path) { (volume) throws(DiskError) in try volume.remove(path) }
  }

  public func createDirectory(_ path: String) throws(DiskError) {
    try change(.createDirectory, "create", path) { (volume) throws(DiskError) in try volume.createDirectory(path) }
  }

  public func syncDirectory(_ path: String) throws(DiskError) {
    try volume.withLock { (volume) throws(DiskError) in
      if let interrupted = try volume.begin(.syncDirectory, "sync", path) { throw interrupted }
      volume.commit(try volume.existingDirectory(path, "sync"), through: .max)
      volume.sweep()
    }
  }

  public func list(_ path: String) throws(DiskError) -> [String] {
    try volume.withLock { (volume) throws(DiskError) in
      _ = try volume.begin(.list, "list", path)
      let directory = try volume.existingDirectory(path, "list")
      return volume.directories[directory]?.entries.keys.sorted() ?? []
    }
  }

  public func exists(_ path: String) -> Bool { volume.withLock { $0.find(path) != nil } }

  public func freeBytes(_ path: String) throws(DiskError) -> UInt64 {
    try volume.withLock { (volume) throws(DiskError) in
      _ = try volume.begin(.freeBytes, "statvfs", path)
      return UInt64(volume.free ?? 1 << 40)
    }
  }

  private func change(
    _ kind: DiskOperation.Kind, _ name: String, _ path: String,
    _ body: (inout SimulatedVolume) throws(DiskError) -> Void
  ) throws(DiskError) {
    try volume.withLock { (volume) throws(DiskError) in
      let interrupted = try volume.begin(kind, name, path)
      try body(&volume)
      volume.sweep()
      if let interrupted { throw interrupted }
    }
  }
}

/// An open file of a simulated disk.
private final class SimulatedFile: DiskFile {
  let path: String
  private let disk: SimulatedDisk
  private let node: SimulatedVolume.Node
  private let era: Int
  private let isWritable: Bool

  init(disk: SimulatedDisk, path: String, node: SimulatedVolume.Node, era: Int, isWritable: Bool) {
    self.disk = disk
    self.path = path
    self.node = node
    self.era = era
    self.isWritable = isWritable
  }

  deinit {
    disk.volume.withLock { volume in
      guard volume.era == era, let count = volume.opened[node]?.count else { return }
      if count > 1 {
        volume.opened[node]?.count = count - 1
      } else {
        volume.opened[node] = nil
        volume.sweep()
      }
    }
  }

  func size() throws(DiskError) -> UInt64 {
    try use(.size, "stat") { (volume, _) throws(DiskError) in UInt64(volume.files[node]?.count ?? 0) }
  }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
    let start = try position(offset, buffer.count, "read")
    // SAFETY: the buffer is the caller's for the whole call, and the lock's body runs within it, on this thread.
    nonisolated(unsafe) let buffer = buffer
    return try use(.read, "read", offset, buffer.count) { (volume, _) throws(DiskError) in
      volume.files[node]?.cache.read(at: start, into: buffer) ?? 0
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
    let start = try position(offset, bytes.count, "write")
    // SAFETY: the buffer is the caller's for the whole call, and the lock's body runs within it, on this thread.
    nonisolated(unsafe) let bytes = bytes
    try use(.write, "write", offset, bytes.count) { (volume, interrupted) throws(DiskError) in
      let allowed = try room(for: start + bytes.count, in: volume)
      let fitting = Swift.max(0, Swift.min(bytes.count, allowed - start))
      // SAFETY: `fitting` ≤ the buffer's size.
      if fitting > 0 { volume.write(UnsafeRawBufferPointer(rebasing: bytes[..<fitting]), to: node, at: start) }
      if let interrupted { throw interrupted }
      if fitting < bytes.count { throw DiskError(operation: "write", path: path, code: DiskFault.noSpace) }
    }
  }

  func truncate(to size: UInt64) throws(DiskError) {
    let count = try position(size, 0, "truncate")
    try use(.truncate, "truncate", size) { (volume, interrupted) throws(DiskError) in
      guard try room(for: count, in: volume) >= count else {
        throw DiskError(operation: "truncate", path: path, code: DiskFault.noSpace)
      }
      volume.files[node]?.resize(to: count)
      if let interrupted { throw interrupted }
    }
  }

  func sync() throws(DiskError) {
    do throws(DiskError) {
      try use(.sync, "sync") { (volume, interrupted) throws(DiskError) in
        if let interrupted { throw interrupted }
        volume.files[node]?.sync()
      }
    } catch {
      disk.volume.withLock { if $0.era == era, !$0.isOff { $0.files[node]?.failSync() } }
      throw error
    }
  }

  /// How far a file that is to end at `end` may grow: `end`, or less on a full disk.
  private func room(for end: Int, in volume: SimulatedVolume) throws(DiskError) -> Int {
    guard isWritable else { throw DiskError(operation: "write", path: path, code: Errno.badDescriptor) }
    let pages = PagedBytes.pages(for: volume.files[node]?.count ?? 0)
    guard PagedBytes.pages(for: end) > pages, let free = volume.free else { return end }
    return Swift.min(end, (pages + free / PagedBytes.pageBytes) * PagedBytes.pageBytes)
  }

  private func use<Result: Sendable>(
    _ kind: DiskOperation.Kind, _ name: String, _ offset: UInt64 = 0, _ count: Int = 0,
    _ body: (inout SimulatedVolume, DiskError?) throws(DiskError) -> Result
  ) throws(DiskError) -> Result {
    try disk.volume.withLock { (volume) throws(DiskError) -> Result in
      let interrupted = try volume.begin(kind, name, path, offset: offset, count: count)
      guard volume.era == era else { throw DiskError(operation: name, path: path, code: Errno.stale) }
      return try body(&volume, interrupted)
    }
  }

  private func position(_ offset: UInt64, _ count: Int, _ operation: String) throws(DiskError) -> Int {
    guard let start = Int(exactly: offset), start <= Int.max - count - PagedBytes.pageBytes else {
      throw DiskError(operation: operation, path: path, code: Errno.fileTooBig)
    }
    return start
  }
}
