public import Bytes
import FoundationEssentials
public import Wire

extension Client {
  /// The named snapshots, by ascending name, and the version from which on everything is readable.
  public func snapshots() throws(ClientError) -> (named: [WireNamedSnapshot], floor: Version) {
    let answer = try call(.snapshots(WireSnapshotsRequest()), Attempts("snapshot list")) { body in
      if case .snapshots(let answer) = body { answer } else { nil }
    }
    return (answer.snapshots, Version(rawValue: answer.floor))
  }

  /// Names a version, which stays readable until the name is deleted. The same name and version again is no error.
  public func createSnapshot(_ name: String, _ version: Version) throws(ClientError) {
    let request = WireCreateSnapshotRequest.with {
      $0.name = name
      $0.version = version.rawValue
    }
    try call(.createSnapshot(request), Attempts("snapshot create")) { body in
      if case .createSnapshot = body { () } else { nil }
    }
  }

  /// Takes a name away; false where there is none.
  public func deleteSnapshot(_ name: String) throws(ClientError) -> Bool {
    try call(.deleteSnapshot(.with { $0.name = name }), Attempts("snapshot delete")) { body in
      if case .deleteSnapshot(let answer) = body { answer.found } else { nil }
    }
  }

  /// Has a node sign what a snapshot's file says of itself.
  public func sign(_ statement: SnapshotStatement) throws(ClientError) -> WireSignSnapshotResponse {
    let request = WireSignSnapshotRequest.with { $0.statement = Data(statement.encoded()) }
    return try call(.signSnapshot(request), Attempts("snapshot export")) { body in
      if case .signSnapshot(let answer) = body { answer } else { nil }
    }
  }

  /// The name of the cluster.
  public var cluster: String { file.cluster }
}
