import ArgumentParser
import Bytes
import Environment
import Log
import Store
import Table

/// `kv debug`: looks at files of kv without a node, and changes nothing.
struct DebugCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "debug", abstract: "Look at a node's files, offline and without changing them.",
    subcommands: [DebugDumpCommand.self, DebugManifestCommand.self, DebugLogCommand.self, DebugFindCommand.self])

  func run() throws {
    throw ValidationError("expected dump, manifest, log or find")
  }
}

/// `kv debug dump FILE`: what every byte of a file means.
struct DebugDumpCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "dump", abstract: "Say of every byte of a table, manifest or log segment what it means.")

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The file.", valueName: "file"), completion: .file())
  var file: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let path = file.text
    var failure: CommandError?
    let json = global.json
    func emit(_ line: DumpLine) {
      guard failure == nil else { return }
      do throws(CommandError) {
        try output.write(json ? Self.object(line) : Array((line.text(limit: 256) + "\n").utf8))
      } catch {
        failure = error
      }
    }
    let faults = try inspecting { () throws(DiskError) in
      switch try Self.kind(of: path) {
      case .segment: try SegmentDump.run(disk: PosixDisk(), path: path, emit)
      case .manifest: try ManifestDump.run(disk: PosixDisk(), path: path, emit)
      case .table: try TableDump.run(disk: PosixDisk(), path: path, emit)
      }
    }
    if let failure { throw failure }
    if faults > 0 { StandardError.say("\(path): \(faults) faults") }
    return faults > 0 ? .damage : .done
  }

  private enum Kind {
    case table, manifest, segment
  }

  /// What a file is: by its first bytes, or else by its name. A table begins with a block.
  private static func kind(of path: String) throws(DiskError) -> Kind {
    let head = try PosixDisk().open(path, .read).read(at: 0, count: 8)
    let name = path.split(separator: "/").last ?? ""
    if head == Array("kvlogseg".utf8) || name.hasSuffix(".log") { return .segment }
    if head == Array("kv-manif".utf8) || name.hasPrefix("manifest-") { return .manifest }
    return .table
  }

  private static func object(_ line: DumpLine) -> [UInt8] {
    var object = JSONObject()
    object.number("offset", line.offset)
    object.string("bytes", line.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    object.string("note", line.note)
    return object.line
  }
}

/// Reads files of a node, and gives the disk's errors the form of this target.
func inspecting<Result>(_ body: () throws(DiskError) -> Result) throws(CommandError) -> Result {
  do throws(DiskError) {
    return try body()
  } catch {
    throw .file(operation: error.operation, path: error.path, code: error.code)
  }
}
