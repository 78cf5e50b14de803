import ArgumentParser
import Bytes
import Environment
import Glibc
import Log

/// `kv debug log DIR`: the segments of a node's log.
struct DebugLogCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Show the segments of a node's log, and how many faults each has.")

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The directory of the log, or of the node.", valueName: "dir"), completion: .directory)
  var directory: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let disk = PosixDisk()
    var total = 0
    for path in try segments(on: disk) {
      var frames = 0
      var notes: [String] = []
      let faults = try inspecting { () throws(DiskError) in
        try SegmentDump.run(disk: disk, path: path) { line in
          if line.note.hasPrefix("frame ") { frames += 1 }
          if line.note.contains("damaged") { notes.append("byte \(line.offset): \(line.note)") }
        }
      }
      total += faults
      if global.json {
        var object = JSONObject()
        object.string("segment", path)
        object.number("frames", frames)
        object.number("faults", faults)
        object.strings("damage", notes)
        try output.write(object.line)
      } else {
        try output.line("\(path): \(frames) frames, \(faults) faults")
        for note in notes { try output.line("  \(note)") }
      }
    }
    return total > 0 ? .damage : .done
  }

  /// The segments in the directory, or, where it is a node's, in its log's.
  private func segments(on disk: PosixDisk) throws(CommandError) -> [String] {
    for place in [directory.text, directory.text + "/log"] {
      guard place == directory.text || disk.exists(place) else { break }
      let names = try inspecting { () throws(DiskError) in try disk.list(place) }
      let segments = names.filter { $0.hasSuffix(".log") }
      if !segments.isEmpty { return segments.map { place + "/" + $0 } }
    }
    throw .file(operation: "open", path: directory.text + "/*.log", code: ENOENT)
  }
}
