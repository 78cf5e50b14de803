/// How a node is to run: what the command line says. What it leaves out, the directory knows or a default gives.
public struct ServeOptions: Sendable {
  /// The node's data directory.
  public var directory: String
  /// Where to listen, `HOST:PORT`.
  public var listen: String?
  /// Where others reach the node, `HOST:PORT`, if that isn't where it listens.
  public var advertise: String?
  /// The zone that the node fails with.
  public var zone: String
  /// How many partitions a new cluster has: a power of two.
  public var partitions: Int?
  /// The snapshot's files with whose records a new cluster begins: a full one, then those of what changed after it.
  public var from: [String] = []
  /// How long the cluster shall keep old versions, in milliseconds; nil: as it does.
  public var keepMilliseconds: UInt64?
  /// How long the certificates are valid that this node signs for nodes, in seconds.
  public var certificateLifetimeSeconds: Int64 = 365 * 86_400
  /// Where to serve metrics and the status page, `HOST:PORT` on loopback; nil: nowhere.
  public var metrics: String?
  /// The socket of the service manager that started the process (sd_notify(3)), if there is one.
  public var notifySocket: String?
  /// The budget of the block cache that the node's stores share, in bytes.
  public var cacheBytes = 64 << 20

  /// Options of these parts.
  public init(
    directory: String, listen: String? = nil, advertise: String? = nil, zone: String = "", partitions: Int? = nil
  ) {
    self.directory = directory
    self.listen = listen
    self.advertise = advertise
    self.zone = zone
    self.partitions = partitions
  }

  /// The first port that is tried where none is given.
  static let defaultPort = 4711
  /// How many ports are tried.
  static let portsTried = 100
  static let defaultPartitions = 16
}
