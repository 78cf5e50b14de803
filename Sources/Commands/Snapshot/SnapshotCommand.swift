import ArgumentParser
import Bytes
import Client

/// `kv snapshot`: keeps points in time, and moves them.
struct SnapshotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot", abstract: "Keep versions by name; write them to files, check them, load them.",
    subcommands: [
      SnapshotCreateCommand.self, SnapshotListCommand.self, SnapshotDeleteCommand.self, SnapshotExportCommand.self,
      SnapshotImportCommand.self, SnapshotVerifyCommand.self,
    ])

  func run() throws {
    throw ValidationError("expected create, list, delete, export, import or verify")
  }
}

/// `kv snapshot create NAME`: keeps a version readable until its name is deleted.
struct SnapshotCreateCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Keep a version readable, under a name; print the version.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("The version or time; now unless given.", valueName: "time"))
  var at: ArgumentBytes?

  @Argument(help: ArgumentHelp("The name.", valueName: "name"))
  var name: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let time = try at.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
    let client = try global.client()
    let version: Version
    if let time {
      version = try time.version(asking: client)
    } else {
      version = try asking { () throws(ClientError) in try client.latestVersion() }
    }
    try asking { () throws(ClientError) in try client.createSnapshot(name.text, version) }
    if global.json {
      var object = JSONObject()
      object.string("name", name.text)
      object.version("version", version)
      try output.write(object.line)
    } else {
      try output.line("\(version)")
    }
    return .done
  }
}

/// `kv snapshot list`: the names and their versions.
struct SnapshotListCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Print the named snapshots: name, version, time of the version.")

  @OptionGroup var global: GlobalOptions

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    for snapshot in try asking({ () throws(ClientError) in try client.snapshots().named }) {
      let version = Version(rawValue: snapshot.version)
      let time = CivilTime.text(milliseconds: version.milliseconds)
      if global.json {
        var object = JSONObject()
        object.string("name", snapshot.name)
        object.version("version", version)
        object.string("time", time)
        object.string("created", CivilTime.text(milliseconds: snapshot.createdMs))
        try output.write(object.line)
      } else {
        try output.line("\(snapshot.name)\t\(version)\t\(time)")
      }
    }
    return .done
  }
}

/// `kv snapshot delete NAME`: lets a version go.
struct SnapshotDeleteCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Take a snapshot's name away: its version is kept no longer than others.")

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The name.", valueName: "name"))
  var name: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    let found = try asking { () throws(ClientError) in try client.deleteSnapshot(name.text) }
    guard found else {
      global.say("no snapshot is named \(Escaping.text(name.bytes))")
      return .absent
    }
    return .done
  }
}
