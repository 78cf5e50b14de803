import Bytes
import Client
import Environment
import Glibc
import Node
import Snapshot
import TLS
import Wire

/// Makes a new cluster of one node in an empty directory: authority, certificates, catalog, cluster file.
enum ClusterMaker {
  /// Makes everything; the directory is a node's from the last step on.
  static func make(_ options: ServeOptions, listen: HostPort, address: String, on disk: any Disk) throws(ServerError) {
    let directory = options.directory
    let seed = try ClusterMaker.seed(options.from, on: disk)
    let cluster = "kv-" + hex(SystemRandomNumberGenerator.bytes(6))
    do {
      try NodeDirectory.beginMaking(directory, restores: seed != nil, on: disk)
      let authority = try CertificateAuthority.create(clusterID: cluster)
      let first = NodeID(rawValue: 1)
      let key = try PrivateKey.generate()
      let certificate = try authority.sign(
        try SigningRequest(key: key), identity: .node(cluster: cluster, id: first),
        validity: .seconds(options.certificateLifetimeSeconds))
      try NodeCredentials(key: key, certificate: certificate, trust: NodeTrust(authority.certificate))
        .save(to: directory, on: disk)
      let (admin, clusterFile) = try administrator(of: authority, address: address)

      let node = WireCatalogNode.with {
        $0.id = first.rawValue
        $0.address = address
        $0.zone = options.zone ?? ""
        if let weight = options.weight { $0.weight = weight }
        $0.joined = SystemClock().wallMilliseconds
        $0.format = NodeDirectory.format
      }
      let publicKey = try key.publicKeyDER()
      try NodeDirectory.createCluster(
        directory, on: disk, cluster: cluster, partitions: options.partitions ?? ServeOptions.defaultPartitions,
        authority: authority.certificate.der, node: node, publicKey: publicKey,
        sealedAuthorityKey: try SealedBox.seal(try authority.key.der(), to: publicKey), listen: "\(listen)",
        certificates: [certificate.record, admin.record], clusterFile: Array(clusterFile.text.utf8), seed: seed)
      try NodeDirectory.removeMarks(directory, on: disk)
    } catch let error as ServerError {
      throw error
    } catch let error as NodeError {
      throw .node(error)
    } catch let error as TLSError {
      throw .tls(error)
    } catch {
      throw .identity(path: directory, words: "\(error)")
    }
  }

  /// The records of snapshots' files, after every byte of these was checked; nil where there are none.
  private static func seed(_ paths: [String], on disk: any Disk) throws(ServerError) -> ClusterSeed? {
    guard !paths.isEmpty else { return nil }
    do throws(SnapshotError) {
      let files = try SnapshotChain.open(paths, on: disk)
      guard let first = files.first?.statement, let last = files.last?.statement else { return nil }
      let merge = try SnapshotMerge(files)
      return ClusterSeed(version: last.version, floor: first.hasHistory ? first.oldest : last.version) {
        () throws(ClusterSeedError) in
        do throws(SnapshotError) {
          return try merge.next()
        } catch {
          throw ClusterSeedError(words: "\(error)")
        }
      }
    } catch {
      throw .snapshot(error)
    }
  }

  /// An administrator's certificate, and the file with it.
  private static func administrator(
    of authority: CertificateAuthority, address: String
  ) throws -> (Certificate, ClusterFile) {
    let key = try PrivateKey.generate()
    let certificate = try authority.sign(
      try SigningRequest(key: key),
      identity: .client(cluster: authority.clusterID, name: "admin", role: .admin))
    let file = ClusterFile(
      cluster: authority.clusterID, addresses: [address], authority: authority.certificate.der,
      certificate: certificate.der, privateKey: try key.der())
    return (certificate, file)
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}

extension SystemRandomNumberGenerator {
  /// Unpredictable bytes from the system (getrandom(2)).
  static func bytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }
}
