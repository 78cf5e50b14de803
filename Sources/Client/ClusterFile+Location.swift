import Glibc
import TLS

extension ClusterFile {
  /// Where the cluster file is: what `--cluster` says, else `$KV_CLUSTER`, else the user's configuration directory,
  /// else the system's. A place that was named and has no file is an error, never passed over; an empty variable names
  /// none.
  public static func locate(
    explicit: String?, environment: [String: String]
  ) throws(ClusterFileError) -> String {
    if let explicit { return try existing(explicit, origin: "--cluster") }
    if let named = environment["KV_CLUSTER"], !named.isEmpty { return try existing(named, origin: "$KV_CLUSTER") }
    let usual = usualPlaces(environment)
    for path in usual where exists(path) { return path }
    throw .noneFound(tried: usual)
  }

  /// Reads the cluster file at a path.
  public static func load(_ path: String) throws(ClusterFileError) -> ClusterFile {
    switch SmallFile.read(path, limit: ClientLimits.clusterFileBytes.rawValue) {
    case .success(let bytes): return try ClusterFile(parsing: bytes, path: path)
    case .failure(let error) where error.code == ENOENT: throw .missing(path: path, origin: "the command")
    case .failure(let error): throw .unreadable(path: path, code: error.code)
    }
  }

  /// Where a client of this cluster keeps what saves it time, or nil where the environment names no home:
  /// `${XDG_STATE_HOME:-~/.local/state}/kv/CLUSTER`.
  public func stateDirectory(environment: [String: String]) -> String? {
    // A cluster's name may begin with a dot; `.` and `..` are not directories of its own.
    guard PeerIdentity.isName(cluster), !cluster.hasPrefix(".") else { return nil }
    return ClusterFile.directory(environment, "XDG_STATE_HOME", "/.local/state").map { "\($0)/kv/\(cluster)" }
  }

  private static func usualPlaces(_ environment: [String: String]) -> [String] {
    let user = directory(environment, "XDG_CONFIG_HOME", "/.config").map { ["\($0)/kv/cluster"] } ?? []
    return user + ["/etc/kv/cluster"]
  }

  /// A base directory of a user. A relative one is ignored, as the XDG Base Directory Specification demands.
  private static func directory(_ environment: [String: String], _ name: String, _ fallback: String) -> String? {
    if let named = environment[name], named.hasPrefix("/") { return named }
    guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
    return home + fallback
  }

  private static func existing(_ path: String, origin: String) throws(ClusterFileError) -> String {
    guard access(path, F_OK) != 0 else { return path }
    let code = errno
    guard code == ENOENT || code == ENOTDIR else { throw .unreadable(path: path, code: code) }
    throw .missing(path: path, origin: origin)
  }

  private static func exists(_ path: String) -> Bool {
    access(path, F_OK) == 0
  }
}
