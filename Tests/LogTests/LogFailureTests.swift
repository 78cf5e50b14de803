import Bytes
import Environment
import Log
import Simulation
import Testing

@Suite("The shared log on a failing disk")
struct LogFailureTests {
  let disk = SimulatedDisk()

  private func one(_ number: UInt64, bytes: Int = 20) -> [LogWrite] {
    [LogWrite(group: group(1), entries: entries(number...number, bytes: bytes))]
  }

  @Test("fsync-fails-once: the log is dead from then on, and nothing that the sync covered is acknowledged")
  func failedSync() throws {
    let (log, _) = try open(disk)
    try log.append(one(1), sync: true)
    disk.inject(DiskFault { $0.kind == .sync })
    let error = DiskError(operation: "sync", path: segment(1), code: 5)
    #expect(throws: LogError.failed(error)) { try log.append(one(2), sync: true) }
    #expect(throws: LogError.failed(error)) { try log.append(one(2), sync: true) }
    #expect(throws: LogError.failed(error)) { try log.append(one(3), sync: false) }
    #expect(log.beginSpare() == nil)
    #expect(log.statistics.failure == error)
  }

  @Test("What the cache gave back after a failed sync is on the disk before the log that opens acts on it")
  func cacheAfterFailedSync() throws {
    let (log, _) = try open(disk)
    try log.append(one(1), sync: true)
    disk.inject(DiskFault { $0.kind == .sync })
    #expect(throws: LogError.self) { try log.append(one(2), sync: true) }
    let (_, held) = try open(disk)
    #expect(held[1]?.entries == entries(1...2), "no power was lost: the cache still has it")
    for seed in 0..<20 as Range<UInt64> {
      let copy = disk.clone()
      copy.crash(seed: seed)
      let (_, survived) = try open(copy)
      #expect(survived[1]?.entries == entries(1...2), "seed \(seed)")
    }
  }

  @Test("A failed write kills the log as well")
  func failedWrite() throws {
    let (log, _) = try open(disk)
    disk.inject(DiskFault { $0.kind == .write })
    let error = DiskError(operation: "write", path: segment(1), code: 5)
    #expect(throws: LogError.failed(error)) { try log.append(one(1), sync: true) }
    #expect(throws: LogError.failed(error)) { try log.append(one(1), sync: true) }
    let (_, held) = try open(disk)
    #expect(held.groups.isEmpty && held.damage.isEmpty)
  }

  @Test("disk-full: the batch is refused, what was acknowledged stays, and the same batch goes through with room again")
  func full() throws {
    let (log, _) = try open(disk)
    disk.setCapacity(3 * 4096)
    var next: UInt64 = 1
    var refused: LogError?
    while refused == nil {
      do {
        try log.append(one(next, bytes: 1000), sync: true)
        next += 1
      } catch {
        refused = error
      }
    }
    guard case .full(let error) = refused else {
      Issue.record("\(String(describing: refused))")
      return
    }
    #expect(error.isDiskFull)
    #expect(throws: LogError.full(error)) { try log.append(one(next, bytes: 1000), sync: true) }
    let (_, held) = try open(disk.clone())
    #expect(held[1]?.entries.count == Int(next - 1) && held.damage == [])
    disk.setCapacity(nil)
    try log.append(one(next, bytes: 1000), sync: true)
    try log.append(one(next + 1), sync: true)
    let (_, after) = try open(disk)
    #expect(after[1]?.entries == entries(1...next, bytes: 1000) + entries(next + 1...next + 1))
  }

  @Test("A write refused for lack of space in the middle of a batch can be given again, whole")
  func fullWithin() throws {
    for step in 0..<12 {
      let disk = SimulatedDisk()
      let (log, _) = try open(disk)
      let batch = [
        LogWrite(group: group(1), hardState: hardState(1, commit: 8), entries: entries(1...9, bytes: 900)),
        LogWrite(group: group(2), entries: entries(6...7), reset: LogPoint(index: index(5), term: Term(rawValue: 1))),
      ]
      disk.inject(DiskFault(code: DiskFault.noSpace, atStep: disk.steps + 1 + step))
      do {
        try log.append(batch, sync: true)
      } catch .full {
        try log.append(batch, sync: true)
      } catch {
        // A sync that says so may have lost what it was to save.
        #expect(log.statistics.failure?.operation == "sync")
        continue
      }
      guard log.statistics.failure == nil else { continue }
      disk.clearFaults()
      try log.append([LogWrite(group: group(2), entries: entries(8...8))], sync: true)
      let (_, held) = try open(disk)
      #expect(held[1]?.entries == entries(1...9, bytes: 900), "step \(step)")
      #expect(held[1]?.hardState == hardState(1, commit: 8))
      #expect(held[2]?.entries == entries(6...8), "step \(step)")
    }
  }

  @Test("A spare that finds no room leaves nothing behind, and the log goes on")
  func noRoomForSpare() throws {
    let (log, _) = try open(disk)
    try useSpare(log)
    let names = try disk.list("log")
    disk.inject(DiskFault(code: DiskFault.noSpace) { $0.kind == .write && $0.path.hasSuffix("spare.tmp") })
    let order = try #require(log.beginSpare())
    #expect(throws: DiskError.self) { try order.make() }
    try log.endSpare(isMade: false)
    #expect(try disk.list("log") == names)
    try log.append(one(9), sync: true)
    let again = try #require(log.beginSpare(), "it is ordered anew")
    try again.make()
    try log.endSpare(isMade: true)
    #expect(log.statistics.spares == 1)
  }

  /// Fills the first segment, so that the spare made at the start is in use.
  private func useSpare(_ log: SharedLog) throws {
    for number in 1...8 as ClosedRange<UInt64> { try log.append(one(number, bytes: 500), sync: true) }
    #expect(log.statistics.spares == 0 && log.statistics.segments == 2)
  }

  @Test("A log that can't be opened says which call on which file failed", arguments: [DiskOperation.Kind.list, .open])
  func openFails(kind: DiskOperation.Kind) throws {
    _ = try open(disk)
    disk.inject(DiskFault(times: nil) { $0.kind == kind })
    #expect(
      throws: LogError.disk(
        DiskError(operation: kind == .list ? "list" : "open", path: kind == .list ? "log" : segment(1), code: 5))
    ) {
      try open(disk)
    }
  }
}
