import ArgumentParser
import Bytes
import Client
import Environment
import Snapshot
import TLS

/// `kv snapshot verify FILE…`: whether files are what they say.
struct SnapshotVerifyCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every byte, the records' root and the signature of snapshots' files; or a proof.",
    usage: "kv snapshot verify FILE…\nkv snapshot verify --proof PROOF [--root ROOT]")

  @OptionGroup var global: GlobalOptions

  @Option(
    help: ArgumentHelp("A proof that kv get --proof printed; - for standard input.", valueName: "file"),
    completion: .file())
  var proof: ArgumentBytes?

  @Option(help: ArgumentHelp("The root that the proof must lead to; without it, a signed one.", valueName: "root"))
  var root: ArgumentBytes?

  @Argument(
    help: ArgumentHelp("The files; several must follow one on the other.", valueName: "file"), completion: .file())
  var files: [ArgumentBytes] = []

  mutating func validate() throws {
    if proof == nil, files.isEmpty { throw ValidationError("expected a file, or --proof") }
    if proof != nil, !files.isEmpty { throw ValidationError("--proof excludes files") }
    if root != nil, proof == nil { throw ValidationError("--root goes with --proof") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if let proof { return try ProofCheck(root: root?.text, global: global).run(proof.text, output) }
    return try SnapshotVerification(global: global).run(files.map(\.text), output)
  }
}

/// The check of snapshots' files: of each, and whether one follows on the other.
struct SnapshotVerification {
  let global: GlobalOptions

  func run(_ paths: [String], _ output: OutputStream) throws(CommandError) -> ExitCode {
    var statements: [(path: String, statement: SnapshotStatement)] = []
    for path in paths {
      let statement = try check(path, output)
      statements.append((path, statement))
    }
    try onSnapshot { () throws(SnapshotError) in try SnapshotChain.check(statements) }
    return .done
  }

  private func check(_ path: String, _ output: OutputStream) throws(CommandError) -> SnapshotStatement {
    try SnapshotFiles.check(path)
    var progress = ProgressLine(quiet: global.quiet)
    let (statement, seal) = try onSnapshot { () throws(SnapshotError) in
      defer { progress.clear() }
      return try SnapshotCheck.content(disk: PosixDisk(), path: path) { offset in
        progress.show("\(path): \(offset >> 20) MiB checked")
      }
    }
    let trust = try onSnapshot { () throws(SnapshotError) in try SnapshotTrust(statement, seal, path: path) }
    let isKnown = try SnapshotAuthority.check(trust, statement, path: path, global)
    if global.json {
      var object = JSONObject()
      object.string("file", path)
      object.append(statement)
      object.string("signed_by", "node \(trust.node)")
      object.boolean("authority_known", isKnown)
      try output.write(object.line)
    } else if !global.quiet {
      try output.line(
        "\(path): sound, \(statement.records) records of \(statement.cluster) at version \(statement.version),"
          + " root \(hexadecimal(statement.root)), signed by node \(trust.node)")
    }
    return statement
  }
}

/// Whether the authority in a snapshot's file is that of a cluster file at hand.
enum SnapshotAuthority {
  /// True where the cluster file names the same cluster and authority; false where none is at hand. Another authority of
  /// the same name, or a cluster file that was named and is another cluster's, is an error.
  static func check(
    _ trust: SnapshotTrust, _ statement: SnapshotStatement, path: String, _ global: GlobalOptions
  ) throws(CommandError) -> Bool {
    let known: ClusterFile
    do throws(CommandError) {
      known = try global.clusterFile()
    } catch {
      if global.cluster != nil { throw error }
      tellUnknown(trust, statement, path, global)
      return false
    }
    guard known.cluster == statement.cluster else {
      if global.cluster != nil {
        throw .client(
          .notThisCluster("\(path) is of cluster \(statement.cluster), the cluster file is of \(known.cluster)"))
      }
      tellUnknown(trust, statement, path, global)
      return false
    }
    if known.pastAuthorities.contains(trust.authority.der) {
      global.say("\(path): signed under an authority that was replaced since")
      return true
    }
    guard known.authority == trust.authority.der else {
      throw .mismatch(
        "\(path): signed under another authority than that of \(known.cluster) in the cluster file: a forgery,"
          + " or of an authority that was replaced since the cluster file was made (kv cert renew)")
    }
    return true
  }

  private static func tellUnknown(
    _ trust: SnapshotTrust, _ statement: SnapshotStatement, _ path: String, _ global: GlobalOptions
  ) {
    let pin = (try? trust.authority.sha256()).map(hexadecimal) ?? "unknown"
    global.say(
      "\(path): no cluster file of \(statement.cluster) is at hand: who signed can't be told from somebody who only"
        + " says so; the authority's certificate has the SHA-256 \(pin)")
  }
}
