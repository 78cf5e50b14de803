public import Environment

/// The making of a directory, which a crash may cut off. A mark is there from before the first file of the node until
/// after the last: what is left of a making is made anew, and what is left of a node is never taken for that.
extension NodeDirectory {
  /// What is being made in a directory.
  private enum Mark: String, CaseIterable {
    case cluster = "MAKING"
    case restoredCluster = "RESTORING"
    case member = "JOINING"

    func path(in directory: String) -> String { "\(directory)/\(rawValue)" }
  }

  /// Notes in a directory, before anything is made there, that it is to be a new cluster's first node's, and whether the
  /// cluster begins with a snapshot's records. What an attempt that was cut off has left as the key to the cluster must
  /// not be taken for that of the new one, and is removed.
  public static func beginMaking(_ directory: String, restores: Bool, on disk: any Disk) throws(NodeError) {
    try write(restores ? .restoredCluster : .cluster, [], to: directory, on: disk)
    let clusterFile = clusterFilePath(directory)
    guard disk.exists(clusterFile) else { return }
    do throws(DiskError) { try disk.remove(clusterFile) } catch { throw .disk(error) }
  }

  /// Notes in a directory, before the cluster is asked for a certificate of it, the key that a member is to have here: a
  /// join that is repeated with its token gets the same answer for the same key.
  public static func beginJoining(_ directory: String, key: [UInt8], on disk: any Disk) throws(NodeError) {
    try write(.member, key, to: directory, on: disk)
  }

  /// The key of a join that was begun and has not ended; nil where none was.
  public static func joiningKey(_ directory: String, on disk: any Disk) throws(NodeError) -> [UInt8]? {
    let path = Mark.member.path(in: directory)
    guard disk.exists(path) else { return nil }
    do throws(DiskError) { return try disk.contents(of: path, limit: 64 << 10) } catch { throw .disk(error) }
  }

  /// Whether a cluster that was to begin with a snapshot's records has been begun and not been finished.
  public static func isRestoring(_ directory: String, on disk: any Disk) -> Bool {
    disk.exists(Mark.restoredCluster.path(in: directory))
  }

  /// Takes back `beginJoining`: the cluster has refused the member, and nothing was made.
  public static func endJoining(_ directory: String, on disk: any Disk) throws(NodeError) {
    try remove([.member], from: directory, on: disk)
  }

  /// Removes the marks of whatever was begun: the directory is a node's, and all of it is there.
  public static func removeMarks(_ directory: String, on disk: any Disk) throws(NodeError) {
    try remove(Mark.allCases, from: directory, on: disk)
  }

  private static func remove(_ marks: [Mark], from directory: String, on disk: any Disk) throws(NodeError) {
    do throws(DiskError) {
      for path in marks.map({ $0.path(in: directory) }) where disk.exists(path) {
        try disk.remove(path)
        try disk.syncDirectory(directory)
      }
    } catch {
      throw .disk(error)
    }
  }

  private static func write(
    _ mark: Mark, _ bytes: [UInt8], to directory: String, on disk: any Disk
  ) throws(NodeError) {
    do throws(DiskError) { try disk.replace(mark.path(in: directory), with: bytes) } catch { throw .disk(error) }
  }

  /// The first name in a directory without FORMAT that neither a start nor a making that was cut off has left; nil where
  /// there is none.
  static func foreignName(in directory: String, on disk: any Disk) throws(DiskError) -> String? {
    let marks = Mark.allCases.map(\.rawValue)
    var own = Set(["LOCK"] + marks + marks.map { $0 + ".tmp" })
    if marks.contains(where: { disk.exists("\(directory)/\($0)") }) { own.formUnion(leftovers) }
    return try disk.list(directory).first { !own.contains($0) }
  }

  /// Why a directory is no node's that has a file, and no FORMAT.
  static func wordsWithoutFormat(holding name: String) -> String {
    guard name != "cluster.kv" else {
      return "it holds cluster.kv, the key to a cluster, and no node: name an empty directory for a new cluster"
    }
    return "it holds \(name), but no FORMAT: it is no node's directory; if it was one, put FORMAT back, as the "
      + "cluster's other nodes have it"
  }

  /// What a making that was cut off can leave beside its mark.
  private static let leftovers = [
    "node", "node.tmp", "node.copy", "node.copy.tmp", "catalog", "catalog.tmp", "catalog.copy", "catalog.copy.tmp",
    "log", "partitions", "identity", "FORMAT.tmp", "cluster.kv", "cluster.kv.tmp",
  ]
}
