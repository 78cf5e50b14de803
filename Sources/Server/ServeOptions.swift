/// How a node is to run: what the command line says. What it leaves out, the directory knows or a default gives.
public struct ServeOptions: Sendable {
  /// The node's data directory.
  public var directory: String
  /// Where to listen, `HOST:PORT`.
  public var listen: String?
  /// Where others reach the node, `HOST:PORT`, if that isn't where it listens.
  public var advertise: String?
  /// The zone that the node fails with; nil: as it is, at first none.
  public var zone: String?
  /// The node's part of the load against the weights of the others; nil: as it is, at first 1.
  public var weight: UInt32?
  /// The most bytes a second that each node of the cluster takes in of moving replicas, 0 for no limit; nil: as it is.
  public var moveRate: UInt64?
  /// How many partitions a new cluster has: a power of two.
  public var partitions: Int?
  /// The snapshot's files with whose records a new cluster begins: a full one, then those of what changed after it.
  public var from: [String] = []
  /// How long the cluster shall keep old versions, in milliseconds; nil: as it does.
  public var keepMilliseconds: UInt64?
  /// How long the certificates are valid that this node signs for nodes, in seconds.
  public var certificateLifetimeSeconds: Int64 = 365 * 86_400
  /// What a partition may hold before this node, where it leads it, has it split; 0: never; nil: 4 GiB.
  public var splitBytes: UInt64?
  /// Where to serve metrics and the status page, `HOST:PORT` on loopback; nil: nowhere.
  public var metrics: String?
  /// The socket of the service manager that started the process (sd_notify(3)), if there is one.
  public var notifySocket: String?
  /// The budget of the block cache that the node's stores share, in bytes.
  public var cacheBytes = 64 << 20

  /// Options of these parts.
  public init(
    directory: String, listen: String? = nil, advertise: String? = nil, zone: String? = nil, partitions: Int? = nil
  ) {
    self.directory = directory
    self.listen = listen
    self.advertise = advertise
    self.zone = zone
    self.partitions = partitions
  }

  /// Refuses a place to serve metrics that is none, or isn't on loopback; the error says what is right.
  public static func checkMetrics(_ address: String) throws(ServerError) { _ = try MonitorServer.address(address) }

  /// Where the node stands, as far as the command line says.
  var place: (zone: String?, weight: UInt32?) { (zone, weight) }

  /// The first port that is tried where none is given.
  static let defaultPort = 4711
  /// How many ports are tried.
  static let portsTried = 100
  static let defaultPartitions = 16
}
