import ArgumentParser
import Bytes
import Environment
import Store
import Table

/// `kv debug manifest DIR`: what a partition's store consists of.
struct DebugManifestCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "manifest", abstract: "Show the state and the tables of a partition's directory.")

  @OptionGroup var global: GlobalOptions

  @Flag(help: "Read every table and compare its SHA-256 with the manifest's.")
  var check = false

  @Argument(help: ArgumentHelp("The directory of the partition.", valueName: "dir"), completion: .directory)
  var directory: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let store = try inspect(directory.text)
    var damaged = 0
    try printState(store, output)
    for table in store.tables {
      var verdict: Bool?
      if check {
        do throws(StoreError) { verdict = try store.isWhole(table) } catch {
          verdict = false
          StandardError.say("\(error)")
        }
      }
      if verdict == false { damaged += 1 }
      try print(table, verdict, output)
    }
    if damaged > 0 { StandardError.say("\(damaged) tables are not what the manifest says") }
    return damaged > 0 ? .damage : .done
  }

  private func printState(_ store: StoreInspector, _ output: OutputStream) throws(CommandError) {
    let state = store.state
    if global.json {
      var object = JSONObject()
      object.string("manifest", store.manifestPath)
      object.number("applied_index", state.appliedIndex.rawValue)
      object.number("applied_term", state.appliedTerm.rawValue)
      object.version("last_version", state.lastVersion)
      object.version("floor", store.retention.floor)
      object.strings("pins", store.retention.pins.map(\.description))
      return try output.write(object.line)
    }
    try output.line("manifest \(store.manifestPath)")
    try output.line("applied index \(state.appliedIndex), term \(state.appliedTerm)")
    try output.line("last version \(state.lastVersion)")
    try output.line("floor \(store.retention.floor), \(store.retention.pins.count) pins")
  }

  private func print(
    _ table: StoreInspector.Listed, _ verdict: Bool?, _ output: OutputStream
  ) throws(CommandError) {
    if global.json {
      var object = JSONObject()
      object.string("table", table.path)
      object.string("tier", "\(table.tier)")
      object.number("level", table.level)
      object.number("bytes", table.fileBytes)
      object.number("records", table.records)
      if let verdict { object.boolean("whole", verdict) }
      return try output.write(object.line)
    }
    let words = verdict.map { $0 ? ", whole" : ", damaged" } ?? ""
    try output.line(
      "\(table.tier) level \(table.level): \(table.path), \(table.fileBytes) bytes, \(table.records) records\(words)")
  }
}

/// `kv debug find DIR KEY`: where the records of a key lie.
struct DebugFindCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "find", abstract: "Show every record of a key in a partition's tables.")

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The directory of the partition.", valueName: "dir"), completion: .directory)
  var directory: ArgumentBytes

  @Argument(help: ArgumentHelp("The key.", valueName: "key"))
  var key: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let store = try inspect(directory.text)
    var damaged = 0
    let findings = store.find(key.key) { error in
      damaged += 1
      StandardError.say("\(error)")
    }
    for finding in findings { try print(finding, output) }
    return damaged > 0 ? .damage : findings.isEmpty ? .absent : .done
  }

  private func print(_ finding: StoreInspector.Finding, _ output: OutputStream) throws(CommandError) {
    let (record, table) = (finding.record, finding.table)
    if global.json {
      var object = JSONObject()
      object.string("table", table.path)
      object.string("tier", "\(table.tier)")
      object.number("level", table.level)
      object.version("version", record.version)
      object.version(table.tier == .current ? "since" : "to", finding.edge)
      object.string("kind", "\(record.kind)")
      if record.kind == .value { object.data("value", record.value) }
      return try output.write(object.line)
    }
    let edge = table.tier == .current ? "since \(finding.edge)" : "to \(finding.edge)"
    let value = record.kind == .value ? Escaping.text(record.value) : "deleted"
    try output.line("\(table.path)\t\(table.tier) \(table.level)\t\(record.version)\t\(edge)\t\(value)")
  }
}

/// Reads the manifest of a partition's directory.
private func inspect(_ directory: String) throws(CommandError) -> StoreInspector {
  do throws(StoreError) {
    return try StoreInspector(disk: PosixDisk(), directory: directory)
  } catch {
    if case .io(let cause) = error {
      throw .file(operation: cause.operation, path: cause.path, code: cause.code)
    }
    throw .mismatch("\(error)")
  }
}
