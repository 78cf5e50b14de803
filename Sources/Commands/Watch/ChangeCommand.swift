import Bytes

/// The command that `watch --exec` runs for a change.
enum ChangeCommand {
  /// The longest value that is in the environment too: the kernel takes 128 KiB for each variable (execve(2)).
  private static let variableBytes = 64 << 10

  /// Runs a shell command and waits for its end. Fails unless its status is 0.
  ///
  /// The value is on its standard input, and for a deletion nothing is. The environment has `KV_VERSION`, `KV_TIME`,
  /// `KV_KIND`, `KV_KEY_ESCAPED`; and `KV_KEY` and `KV_VALUE`, empty unless their bytes are UTF-8 without NUL, as
  /// variables must be.
  static func run(_ command: [UInt8], for change: Record) throws(CommandError) {
    let child = try ChildProcess(
      "/bin/sh", [Array("-c".utf8), command], input: change.value, environment: variables(of: change))
    let status = child.wait()
    guard status == 0 else {
      let key = Escaping.text(change.key.bytes)
      throw .child("the command ended with status \(status) for \(key) of version \(change.version): ended there")
    }
  }

  static func variables(of change: Record) -> [String: String] {
    var variables = [
      "KV_VERSION": "\(change.version)", "KV_TIME": change.version.time, "KV_KIND": change.kind.word,
      "KV_KEY_ESCAPED": Escaping.text(change.key.bytes),
    ]
    // Set in any case, so that a watch within a watch does not show the outer one's.
    variables["KV_KEY"] = text(change.key.bytes) ?? ""
    variables["KV_VALUE"] = text(change.value) ?? ""
    return variables
  }

  private static func text(_ bytes: [UInt8]) -> String? {
    guard bytes.count <= variableBytes, !bytes.contains(0), Escaping.isUTF8(bytes) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
