import Bytes
import Simulation
import Wire

/// Requests in the words of the tests.
extension SimulatedWorld {
  /// The session of all writes that don't bring one: begun at the world's start.
  private static func session(_ number: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.u64((1_700_000_000_000 << 16 | 0x7000).byteSwapped)
    writer.u64(number)
    return writer.bytes
  }

  /// A write with a request id of its own.
  static func write(
    _ key: String, _ value: String?, id: UInt64, condition: WireWriteRequest.Condition = .none,
    expected: Version = .zero
  ) -> WireRequest {
    .with {
      $0.timeoutMs = 8_000
      $0.write = .with {
        $0.session = .init(session(id))
        $0.sequence = 1
        $0.key = .init(key.utf8)
        $0.value = .init((value ?? "").utf8)
        $0.tombstone = value == nil
        $0.condition = condition
        $0.expected = expected.rawValue
      }
    }
  }

  /// Values under several keys, together, with a request id of their own.
  static func batch(
    _ records: KeyValuePairs<String, String>, id: UInt64, condition: WireWriteRequest.Condition = .none
  ) -> WireRequest {
    .with {
      $0.timeoutMs = 8_000
      $0.batch = .with {
        $0.session = .init(session(id))
        $0.sequence = 1
        $0.writes = records.map { key, value in
          .with {
            $0.key = .init(key.utf8)
            $0.value = .init(value.utf8)
            $0.condition = condition
          }
        }
      }
    }
  }

  /// A read of a key.
  static func read(_ key: String, at version: Version = .zero) -> WireRequest {
    .with {
      $0.timeoutMs = 8_000
      $0.get = .with {
        $0.key = .init(key.utf8)
        $0.at = version.rawValue
      }
    }
  }

  /// Puts a value and gives its version; nil where that failed.
  func put(_ key: String, _ value: String?, id: UInt64) -> Version? {
    ask(SimulatedWorld.write(key, value, id: id))?.version
  }

  /// Writes as a client does: what is unavailable for the moment, or unknown, is asked again.
  func putAsClient(_ key: String, _ value: String, id: UInt64) -> Version? {
    for _ in 0..<20 {
      if let version = put(key, value, id: id) { return version }
      run(milliseconds: 200)
    }
    return nil
  }

  /// The value of a key.
  func get(_ key: String, at version: Version = .zero) -> String? {
    guard case .get(let response)? = ask(SimulatedWorld.read(key, at: version)), response.found else { return nil }
    return String(decoding: response.value, as: UTF8.self)
  }

  /// The status of every node that runs.
  var statuses: [WireStatusResponse] {
    hosts.values.sorted { $0.id < $1.id }.compactMap { host in
      guard case .status(let status)? = ask(.with { $0.status = WireStatusResponse.request }, of: host.id) else {
        return nil
      }
      return status
    }
  }

  /// Whether every group has a leader, all members vote and all replicas have applied the same.
  var isHealthy: Bool {
    let all = statuses
    guard all.count == hosts.count, all.allSatisfy({ $0.moving == 0 && !$0.groups.isEmpty }) else { return false }
    let groups = Set(all.flatMap { $0.groups.map(\.group) })
    return groups.allSatisfy { group in
      let replicas = all.compactMap { status in status.groups.first { $0.group == group } }
      return replicas.count { $0.role == .leader } == 1 && Set(replicas.map(\.applied)).count == 1
        && replicas.allSatisfy {
          let wanted = group == 0 ? Limits.catalogVoters(ofNodes: hosts.count) : min(3, hosts.count)
          return $0.voters.count == wanted && $0.leader != 0
        }
    }
  }

  /// Lets the world run until it is healthy.
  func settle(milliseconds: UInt64 = 60_000) -> Bool {
    for _ in 0..<milliseconds / 500 {
      if isHealthy { return true }
      run(milliseconds: 500)
    }
    return isHealthy
  }
}

extension WireStatusResponse {
  static var request: WireStatusRequest { WireStatusRequest() }
}

extension WireResponse.OneOf_Body {
  /// The version of a write that was done.
  var version: Version? {
    if case .write(let response) = self { Version(rawValue: response.version) } else { nil }
  }

  /// Why it was not done.
  var failure: WireFailure? {
    if case .failure(let failure) = self { failure } else { nil }
  }
}
