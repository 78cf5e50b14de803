import Bytes
import Environment
import Simulation
import TLS

@testable import Snapshot

/// A cluster that signs snapshots' files.
struct Signer {
  let authority: CertificateAuthority
  let key: PrivateKey
  let certificate: Certificate

  init(cluster: String = "kv-test", node: UInt32 = 3) throws {
    authority = try CertificateAuthority.create(clusterID: cluster)
    key = try PrivateKey.generate()
    certificate = try authority.sign(
      try SigningRequest(key: key), identity: .node(cluster: cluster, id: NodeID(rawValue: node)))
  }

  /// Writes a file.
  func write(
    _ spans: [Lifespan], _ statement: SnapshotStatement, to path: String, on disk: any Disk
  ) throws {
    let writer = try SnapshotFileWriter(disk: disk, path: path, statement: statement)
    for span in spans { try writer.add(span) }
    let complete = writer.complete()
    _ = try writer.finish(
      signature: try key.sign(complete.signedBytes), certificate: certificate.der,
      authority: authority.certificate.der)
  }
}

/// A cluster's writes, and what snapshots of them must show.
struct WriteModel {
  private(set) var writes: [Record] = []
  var last: Version { writes.last?.version ?? Version(rawValue: 1) }

  init(seed: UInt64, count: Int, keys: UInt64 = 20) {
    var random = SplitMix64(seed: seed)
    var version: UInt64 = 100
    for _ in 0..<count {
      version += 1 + random.next() % 5
      let key = Key("key/\(random.next() % keys)")
      let size = Int(random.next() % 40)
      let value = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      writes.append(
        random.next() % 4 == 0
          ? .tombstone(key, Version(rawValue: version))
          : Record(key: key, version: Version(rawValue: version), value: value))
    }
  }

  /// The writes of each key up to a version, the newest first, by key.
  private func chains(_ at: Version) -> [(key: Key, writes: [Record])] {
    Dictionary(grouping: writes.filter { $0.version <= at }) { $0.key }
      .sorted { $0.key < $1.key }.map { ($0.key, $0.value.reversed()) }
  }

  /// The records alive at a version.
  func alive(at version: Version) -> [Record] {
    chains(version).compactMap { $0.writes.first?.kind == .value ? $0.writes.first : nil }
  }

  /// Of each key that changed after a version its state at another.
  func changes(since: Version, at: Version) -> [Lifespan] {
    chains(at).compactMap { chain in
      chain.writes.first.flatMap { $0.version > since ? Lifespan($0, to: .max) : nil }
    }
  }

  /// Every value alive at some version from one to another.
  func history(since: Version, at: Version, changedOnly: Bool) -> [Lifespan] {
    chains(at).flatMap { chain -> [Lifespan] in
      var to = Version.max
      var found: [Lifespan] = []
      for write in chain.writes {
        defer { to = write.version }
        guard write.kind == .value, to > since else { continue }
        if changedOnly, write.version <= since, to == .max { continue }
        found.append(Lifespan(write, to: to))
      }
      return found
    }
  }

  func statement(
    at version: Version, oldest: Version? = nil, since: Version? = nil, cluster: String = "kv-test"
  ) -> SnapshotStatement {
    SnapshotStatement(
      cluster: cluster, version: version, oldest: oldest ?? version, since: since, prefix: [],
      createdMilliseconds: 1_700_000_000_000)
  }
}
