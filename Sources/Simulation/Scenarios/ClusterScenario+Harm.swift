import Bytes
import Environment

// What goes wrong with disks.
extension ClusterScenario {
  func harm(_ words: inout Words) throws(LineError) {
    let what = words.previous
    if what == "fail", !words.take("sync") { throw LineError("fail what?") }
    let id = try node(&words)
    guard let disk = world.disks[id] else { throw LineError("there is no node \(id)") }
    switch what {
    case "fail": try failSync(disk, &words)
    case "full":
      let used = disk.files(under: "/").reduce(0) { $0 + ($1.bytes + 4095) / 4096 * 4096 }
      disk.setCapacity(used)
    case "room": disk.setCapacity(nil)
    case "slow": world.hosts[id]?.diskSlowness = try words.number()
    case "stall": world.hosts[id]?.diskStallsUntil = world.time + (try words.milliseconds()) * 1_000_000
    case "flip": try flip(disk, &words)
    default: try erase(disk, &words)
    }
  }

  private func failSync(_ disk: SimulatedDisk, _ words: inout Words) throws(LineError) {
    let part = words.isEmpty ? "" : try words.next("a file")
    disk.inject(DiskFault { $0.kind == .sync && ClusterScenario.isPart(part, $0.path) })
  }

  private static func isPart(_ part: String, _ path: String) -> Bool {
    switch part {
    case "log": path.contains("/log/")
    case "table": path.hasSuffix(".sst")
    case "manifest": path.contains("/manifest-")
    case "catalog": path.contains("/catalog")
    default: true
    }
  }

  /// Flips a bit of the last file of a kind, at a fraction (in hundredths) of what it holds.
  private func flip(_ disk: SimulatedDisk, _ words: inout Words) throws(LineError) {
    let part = try words.next("log, table, manifest or catalog")
    let hundredths = words.isEmpty ? 50 : Int(try words.number())
    let files = disk.files(under: SimulatedWorld.directory).filter {
      ClusterScenario.isPart(part, $0.path) && $0.bytes > 0
    }
    guard let file = files.max(by: { (disk.usedBytes($0.path), $0.path) < (disk.usedBytes($1.path), $1.path) }) else {
      throw LineError("there is no \(part)")
    }
    disk.flip(file.path, at: disk.usedBytes(file.path) * hundredths / 100)
  }

  /// Removes files, as an operator's mistake or a wiped disk does. The node must be down.
  private func erase(_ disk: SimulatedDisk, _ words: inout Words) throws(LineError) {
    let part = try words.next("log or all")
    do {
      for file in disk.files(under: SimulatedWorld.directory)
      where part == "all" || ClusterScenario.isPart(part, file.path) {
        try disk.remove(file.path)
        try disk.syncDirectory(String(file.path.prefix(upTo: file.path.lastIndex(of: "/") ?? file.path.endIndex)))
      }
    } catch {
      throw LineError("\(error)")
    }
  }
}
