import Client

/// Waits until a cluster is healthy.
struct HealthWait {
  /// How long to wait where nothing else is said.
  static let usualMilliseconds: UInt64 = 60_000
  /// How long one look at the cluster may take, in milliseconds: a member that hangs must not use up the whole wait.
  static let lookMilliseconds = 2000
  private static let pauseMilliseconds: UInt64 = 200

  /// Looks at the cluster again and again until it is healthy. Between two looks `during` is called, which may give
  /// up by throwing.
  /// - Parameters:
  ///   - client: asked with its own timeout, which should be `lookMilliseconds`.
  ///   - renewed: after a failure, another client where there is a reason for one.
  /// - Returns: the last status, healthy or not; nil if no member ever answered, with the last error.
  static func untilHealthy(
    _ client: Client, milliseconds: UInt64,
    during: (_ problem: String) throws(CommandError) -> Void = { _ in },
    renewed: () throws(CommandError) -> Client? = { nil }
  ) throws(CommandError) -> StatusTable {
    let deadline = ProcessFacts.steadyMilliseconds + milliseconds
    var client = client
    var last: StatusTable?
    var failure: CommandError?
    repeat {
      do throws(CommandError) {
        let table = StatusTable(try asking { () throws(ClientError) in try client.status() })
        if table.health.isHealthy { return table }
        last = table
      } catch {
        guard case .client(let reason) = error else { throw error }
        failure = error
        if let another = try renewed() {
          client = another
        } else if !reason.mayPass {
          throw error
        }
      }
      try during(last?.health.problems.first ?? failure?.message ?? "")
      ProcessFacts.sleep(milliseconds: pauseMilliseconds)
    } while ProcessFacts.steadyMilliseconds < deadline
    if let last { return last }
    throw failure ?? .notInTime("the cluster gave no status in time")
  }
}

extension ClientError {
  /// Whether stored bytes are damaged.
  var isDamage: Bool {
    if case .damaged = self { true } else { false }
  }

  /// Whether waiting may help.
  var mayPass: Bool {
    switch self {
    case .unavailable: true
    default: false
    }
  }
}
