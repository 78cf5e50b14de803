/// Every status with which `kv` ends (kv-exit(7)). A script may trust them; none ever changes its meaning.
public enum ExitCode: Int32, CaseIterable, Sendable {
  /// Everything that was asked for was done.
  case done = 0
  /// A key is absent, or the condition of a write is false.
  case absent = 1
  /// Damage was found, or is left unrepaired.
  case damage = 2
  /// The version is no longer retained.
  case notRetained = 3
  /// The command line is wrong.
  case usage = 64
  /// The input is malformed, or breaks a limit.
  case malformedData = 65
  /// A file that was named does not exist.
  case missingFile = 66
  /// The cluster is unavailable, and the request certainly not applied.
  case unavailable = 69
  /// A bug in kv.
  case softwareError = 70
  /// Reading or writing failed, or the output's reader went away.
  case inputOutput = 74
  /// The outcome is unknown: retry with the same request id.
  case unknownOutcome = 75
  /// The peer is not this cluster.
  case wrongPeer = 76
  /// The cluster refuses the request.
  case refused = 77
  /// The cluster file or the node's directory is wrong.
  case configuration = 78

  /// The meaning in a few words, as every manual page gives it.
  public var meaning: String {
    switch self {
    case .done: "done"
    case .absent: "absent, or condition false"
    case .damage: "damage found or left unrepaired"
    case .notRetained: "version no longer retained"
    case .usage: "usage"
    case .malformedData: "malformed data"
    case .missingFile: "missing file"
    case .unavailable: "unavailable, and certainly not applied"
    case .softwareError: "a bug in kv"
    case .inputOutput: "input or output failed"
    case .unknownOutcome: "outcome unknown, retry with the same request id"
    case .wrongPeer: "peer is not this cluster"
    case .refused: "refused"
    case .configuration: "configuration"
    }
  }
}
