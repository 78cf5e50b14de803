import Bytes
import Environment
import Log
import Simulation
import Store
import Testing

/// Where a segment's frames begin (kv-log(5)).
private enum SegmentStart {
  static let frames = 1024
}

@Suite struct DumpTests {
  /// Dumps a file with each byte changed in turn; gives the places where nothing was said of it.
  private func silent(
    _ path: String, _ disk: SimulatedDisk, _ dump: (@escaping (DumpLine) -> Void) throws -> Int
  ) throws -> [Int] {
    var silent: [Int] = []
    for offset in 0..<Int(try disk.open(path, .read).size()) {
      disk.flip(path, at: offset, mask: UInt8(1) << UInt8(offset % 8))
      var notes: [String] = []
      let faults = try dump { notes.append($0.note) }
      if faults == 0 { silent.append(offset) } else { #expect(notes.contains { $0.contains("damaged") }, "\(offset)") }
      disk.flip(path, at: offset, mask: UInt8(1) << UInt8(offset % 8))
    }
    return silent
  }

  @Test("any byte of a manifest changed shows in its dump")
  func manifest() throws {
    let disk = try Fixture.copy(Fixture.storeDirectory)
    let path = Fixture.storeDirectory + "/manifest-000001"
    #expect(try silent(path, disk) { try ManifestDump.run(disk: disk, path: path, $0) }.isEmpty)
  }

  @Test("any byte of a log's headers and frames changed shows in its dump; what lies between and behind doesn't count")
  func segment() throws {
    let disk = try Fixture.copy(Fixture.logDirectory)
    let path = Fixture.logDirectory + "/0000000000000001.log"
    var frames: [Range<Int>] = []
    var lastFrame = 0
    _ = try SegmentDump.run(disk: disk, path: path) { line in
      if !line.bytes.isEmpty, line.note != "padding" {
        frames.append(Int(line.offset)..<Int(line.offset) + line.bytes.count)
      }
      if line.note == "kvLB" { lastFrame = Int(line.offset) }
    }
    let silent = try silent(path, disk) { try SegmentDump.run(disk: disk, path: path, $0) }
    // The last frame's loss looks like a torn end, of which nothing proves that it was ever whole.
    let missed = silent.filter { offset in offset < lastFrame && frames.contains { $0.contains(offset) } }
    #expect(lastFrame > SegmentStart.frames)
    #expect(missed.isEmpty, "\(missed)")
  }
}
