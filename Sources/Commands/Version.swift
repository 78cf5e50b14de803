import ArgumentParser
import Bytes

/// `kv version`: says which kv this is.
struct VersionCommand: Executable {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version of kv.")

  @OptionGroup var global: GlobalOptions

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if global.json {
      var object = JSONObject()
      object.string("version", Release.version)
      try output.write(object.line)
    } else {
      try output.line("kv \(Release.version)")
    }
    return .done
  }
}
