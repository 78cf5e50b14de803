public import Bytes
public import Environment
import HashRing
public import Log
public import Wire

extension NodeDirectory {
  /// Makes the directory of a new cluster's first node, which holds one replica of each partition. `clusterFile` is the
  /// text with which an administrator reaches the cluster: it is there only once everything else is.
  public static func createCluster(
    _ directory: String, on disk: any Disk, cluster: String, partitions: Int, authority: [UInt8],
    node: WireCatalogNode, publicKey: [UInt8], sealedAuthorityKey: [UInt8], listen: String,
    certificates: [WireCertificate] = [], clusterFile: [UInt8]? = nil, seed: ClusterSeed? = nil,
    log: LogOptions = LogOptions()
  ) throws(NodeError) {
    var node = node
    node.publicKey = .init(publicKey)
    node.sealedAuthorityKey = .init(sealedAuthorityKey)
    var catalog: Catalog
    do {
      catalog = try Catalog.bootstrap(
        cluster: cluster, partitions: partitions, format: max(oldestFormat, node.format), authority: authority,
        node: node,
        certificates: certificates)
    } catch {
      throw .malformed(path: directory, words: "\(error)")
    }
    if let seed { catalog.begin(above: seed.version, floor: seed.floor) }
    try create(
      directory, on: disk,
      identity: identity(
        cluster: cluster, node: NodeID(rawValue: node.id), address: node.address, listen: listen, members: []),
      catalog: catalog.state, clusterFile: clusterFile, seed: seed, log: log)
  }

  /// Makes the directory of a node that has just enrolled and knows nothing but other members' addresses.
  public static func createMember(
    _ directory: String, on disk: any Disk, cluster: String, node: NodeID, address: String, listen: String,
    members: [WireMember], log: LogOptions = LogOptions()
  ) throws(NodeError) {
    try create(
      directory, on: disk,
      identity: identity(cluster: cluster, node: node, address: address, listen: listen, members: members),
      catalog: nil, log: log)
  }

  private static func identity(
    cluster: String, node: NodeID, address: String, listen: String, members: [WireMember]
  ) -> WireNodeIdentity {
    .with {
      $0.cluster = cluster
      $0.node = node.rawValue
      $0.address = address
      $0.listen = listen
      $0.format = format
      $0.members = members
    }
  }
}
