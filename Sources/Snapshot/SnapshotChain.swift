public import Bytes
public import Environment

/// Files that follow one on the other: a full one, then what changed after it, and so on.
public enum SnapshotChain {
  /// Checks every byte of each file, its signature, and that they follow one on the other from a full one; opens them.
  public static func open(
    _ paths: [String], on disk: any Disk, progress: (String, UInt64) -> Void = { _, _ in }
  ) throws(SnapshotError) -> [SnapshotFile] {
    var files: [SnapshotFile] = []
    for path in paths {
      let (statement, seal) = try SnapshotCheck.content(disk: disk, path: path) { progress(path, $0) }
      _ = try SnapshotTrust(statement, seal, path: path)
      files.append(try SnapshotFile(disk: disk, path: path))
    }
    try checkComplete(files.map { ($0.path, $0.statement) })
    return files
  }

  /// Checks that each file begins where the one before it ends, and names what is missing.
  public static func check(_ files: [(path: String, statement: SnapshotStatement)]) throws(SnapshotError) {
    guard let first = files.first, files.count > 1 else { return }
    // A file between equal versions is the same with history and without.
    let withHistory = files.first { !$0.statement.isEmptyChange }?.statement.hasHistory
    for (file, next) in zip(files, files.dropFirst()) {
      guard next.statement.cluster == first.statement.cluster else {
        throw .brokenChain(
          "\(next.path) is of cluster \(next.statement.cluster), \(file.path) of \(file.statement.cluster)")
      }
      guard next.statement.prefix == first.statement.prefix else {
        throw .brokenChain("\(next.path) and \(file.path) hold keys of different prefixes")
      }
      guard let since = next.statement.since else {
        throw .brokenChain("\(next.path) holds everything: nothing goes before it")
      }
      guard since == file.statement.version else {
        let reason =
          since < file.statement.version
          ? "they overlap; was one given twice, or out of order?"
          : "the file of version \(since) is missing between them"
        throw .brokenChain(
          "\(file.path) ends at version \(file.statement.version), and \(next.path) holds what changed after"
            + " version \(since): \(reason)")
      }
      guard next.statement.isEmptyChange || next.statement.hasHistory == withHistory else {
        throw .brokenChain("of \(file.path) and \(next.path) only one holds history")
      }
    }
  }

  /// Checks also that the first file holds everything.
  public static func checkComplete(_ files: [(path: String, statement: SnapshotStatement)]) throws(SnapshotError) {
    try check(files)
    if let first = files.first, let since = first.statement.since {
      throw .brokenChain(
        "\(first.path) holds only what changed after version \(since): the file of version \(since) must go before it")
    }
  }
}
