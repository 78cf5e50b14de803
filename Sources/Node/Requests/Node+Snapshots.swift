import Bytes
import Wire

// Named snapshots: versions that the catalog keeps readable as long as they have a name.
extension Node {
  /// Whether a snapshot holds this very version, as far as this node has heard.
  func isPinned(_ version: Version) -> Bool { catalog.catalog?.isPinned(version) ?? false }

  /// Gives the snapshots, on the catalog's leader: after a round among the voters, so that none is missing that was
  /// made before the request.
  func listSnapshots(of machine: CatalogMachine, reply: @escaping Reply) {
    guard let replica = machine.replica else { return }
    replica.confirmLeadership { [self] leads in
      guard leads, let state = machine.catalog?.state else {
        return reply(WireFailure.because(.notLeader, "node \(id) does not lead the catalog"))
      }
      reply(
        .snapshots(
          .with {
            $0.snapshots = state.snapshots
            $0.floor = state.floor
          }))
    }
  }

  /// Names a version, on the catalog's leader.
  func create(_ request: WireCreateSnapshotRequest, in machine: CatalogMachine, reply: @escaping Reply) {
    guard Node.isSnapshotName(request.name) else {
      return reply(
        WireFailure.because(
          .invalid,
          "a snapshot's name has 1 to \(Limits.snapshotNameBytes) letters, digits, dots, hyphens and underscores,"
            + " and begins with a letter or digit"))
    }
    guard request.version > 0 else { return reply(WireFailure.because(.invalid, "a snapshot names its version")) }
    whenNotFuture(Version(rawValue: request.version), reply) { [self] in
      let snapshot = WireNamedSnapshot.with {
        $0.name = request.name
        $0.version = request.version
        $0.createdMs = host.clock.wallMilliseconds
      }
      machine.propose(.with { $0.createSnapshot = snapshot }) { [self] outcome in
        switch outcome {
        case .applied: reply(.createSnapshot(WireCreateSnapshotResponse()))
        case .refused(.notRetained(let floor)):
          reply(notRetained(Version(rawValue: request.version), floor: floor))
        case .refused(.nameTaken(let words)): reply(WireFailure.because(.refused, words))
        default: reply(outcome.body)
        }
      }
    }
  }

  /// Takes a name away, on the catalog's leader.
  func delete(_ request: WireDeleteSnapshotRequest, in machine: CatalogMachine, reply: @escaping Reply) {
    let found = machine.catalog?.state.snapshots.contains { $0.name == request.name } ?? false
    guard found else { return reply(.deleteSnapshot(.with { $0.found = false })) }
    machine.propose(.with { $0.deleteSnapshot = request.name }) { outcome in
      guard case .applied = outcome else { return reply(outcome.body) }
      reply(.deleteSnapshot(.with { $0.found = true }))
    }
  }

  private static func isSnapshotName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard let first = bytes.first, bytes.count <= Limits.snapshotNameBytes else { return false }
    func isWord(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: false
      }
    }
    return isWord(first) && bytes.allSatisfy { isWord($0) || "._-".utf8.contains($0) }
  }
}

// The cluster's word for a snapshot's file.
extension Node {
  /// Signs what a file says of itself, if it says so of this cluster and of versions that it has.
  ///
  /// The node has not seen the records: that the root is theirs is the word of the admin who asks.
  func sign(_ request: WireSignSnapshotRequest, reply: @escaping Reply) {
    let statement: SnapshotStatement
    do throws(ByteError) {
      statement = try SnapshotStatement(decoding: request.statement.array)
    } catch {
      return reply(WireFailure.because(.invalid, "the statement is malformed: \(error)"))
    }
    guard statement.cluster == cluster else {
      return reply(
        WireFailure.because(.refused, "the statement is of cluster \(statement.cluster), this is \(cluster)"))
    }
    whenNotFuture(statement.version, reply) { [self] in
      guard let signed = host.authority.sign(statement.signedBytes) else {
        return reply(WireFailure.because(.internal, "the node's key does not sign"))
      }
      reply(
        .signSnapshot(
          .with {
            $0.signature = .init(signed.signature)
            $0.certificate = .init(signed.certificate)
            $0.authority = .init(signed.authority)
          }))
    }
  }
}
