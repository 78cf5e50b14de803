import ArgumentParser
import Bytes
import Environment
import Log

/// `kv debug log DIR`: the segments of a node's log.
struct DebugLogCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Show the segments of a node's log, and how many faults each has.")

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The directory of the log.", valueName: "dir"), completion: .directory)
  var directory: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let disk = PosixDisk()
    var total = 0
    let names = try inspecting { () throws(DiskError) in try disk.list(directory.text) }
    for name in names where name.hasSuffix(".log") {
      let path = directory.text + "/" + name
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
}
