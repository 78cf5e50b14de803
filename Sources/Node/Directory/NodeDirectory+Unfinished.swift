public import Environment

/// The making of a directory that a crash has cut off: what is left of it must not be taken for an empty place.
extension NodeDirectory {
  /// Notes in a directory, before the cluster is asked for a certificate of it, the key that a member is to have here: a
  /// join that is repeated with its token gets the same answer for the same key.
  public static func beginJoining(_ directory: String, key: [UInt8], on disk: any Disk) throws(NodeError) {
    try mark(joiningMark(directory), with: key, on: disk)
  }

  /// The key of a join that was begun and has not ended; nil where none was.
  public static func joiningKey(_ directory: String, on disk: any Disk) throws(NodeError) -> [UInt8]? {
    guard disk.exists(joiningMark(directory)) else { return nil }
    do throws(DiskError) {
      return try disk.contents(of: joiningMark(directory), limit: 64 << 10)
    } catch {
      throw .disk(error)
    }
  }

  /// Notes that a join has ended: this is a member's directory, or the cluster has refused it.
  public static func endJoining(_ directory: String, on disk: any Disk) throws(NodeError) {
    try unmark(joiningMark(directory), in: directory, on: disk)
  }

  /// Notes in a directory, before anything is made there, that the cluster to be made begins with a snapshot's records.
  public static func beginRestoring(_ directory: String, on disk: any Disk) throws(NodeError) {
    try mark(restoringMark(directory), with: [], on: disk)
  }

  /// Whether a cluster that was to begin with a snapshot's records has been begun and not been finished.
  public static func isRestoring(_ directory: String, on disk: any Disk) -> Bool {
    disk.exists(restoringMark(directory))
  }

  /// Notes that the directory has all records with which its cluster begins.
  public static func endRestoring(_ directory: String, on disk: any Disk) throws(NodeError) {
    try unmark(restoringMark(directory), in: directory, on: disk)
  }

  /// Removes the marks of what was begun from a node's directory: it is one only once all is done, and a crash may have
  /// come right after.
  public static func removeMarks(_ directory: String, on disk: any Disk) throws(NodeError) {
    for path in [joiningMark(directory), restoringMark(directory)] where disk.exists(path) {
      try unmark(path, in: directory, on: disk)
    }
  }

  private static func mark(_ path: String, with bytes: [UInt8], on disk: any Disk) throws(NodeError) {
    do throws(DiskError) {
      try disk.replace(path, with: bytes)
    } catch {
      throw .disk(error)
    }
  }

  private static func unmark(_ path: String, in directory: String, on disk: any Disk) throws(NodeError) {
    do throws(DiskError) {
      try disk.remove(path)
      try disk.syncDirectory(directory)
    } catch {
      throw .disk(error)
    }
  }
}
