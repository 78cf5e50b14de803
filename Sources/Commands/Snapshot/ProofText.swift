import Bytes
import Merkle
import Snapshot
import Table

/// A proof as one line of JSON: the record, its place among all, the hashes beside its way, and the signed statement
/// that names the root. Hashes, statement, signature and certificates are hexadecimal.
struct ProofText {
  let proof: SnapshotProof
  let seal: SnapshotSeal
  /// The root that it names beside the statement.
  let statedRoot: String?

  init(_ proof: SnapshotProof, _ seal: SnapshotSeal) {
    self.proof = proof
    self.seal = seal
    statedRoot = nil
  }

  /// The line.
  var line: [UInt8] {
    var object = JSONObject()
    object.data("key", proof.span.record.key.bytes)
    object.data("value", proof.span.record.value)
    object.version("version", proof.span.record.version)
    object.version("to", proof.span.to)
    object.string("index", "\(proof.inclusion.index)")
    object.string("leaves", "\(proof.inclusion.count)")
    object.string("path", proof.inclusion.path.map { hexadecimal($0.bytes) }.joined(separator: " "))
    object.string("root", hexadecimal(proof.statement.root))
    object.string("statement", hexadecimal(seal.statement))
    object.string("signature", hexadecimal(seal.signature))
    object.string("certificate", hexadecimal(seal.certificate))
    object.string("authority", hexadecimal(seal.authority))
    return object.line
  }

  /// Reads a line.
  init(parsing line: [UInt8]) throws(CommandError) {
    do throws(JSONError) {
      var reader = JSONReader(line)
      let members = Members(
        found: try reader.members(wanted: [
          "key", "key_b64", "value", "value_b64", "version", "to", "index", "leaves", "path", "root", "statement",
          "signature", "certificate", "authority",
        ]))
      guard case .record(let key, let value) = JSONFormat.decode(line) else {
        throw JSONError(words: "expected a key and a value within the limits")
      }
      var path: [TreeHash] = []
      for text in members.text("path").split(separator: " ") {
        guard path.count < InclusionProof.longestPath, let bytes = Members.bytes(text.utf8), let hash = TreeHash(bytes)
        else { throw JSONError(words: "expected hashes in the member path") }
        path.append(hash)
      }
      statedRoot = members.found["root"].map { String(decoding: $0, as: UTF8.self) }
      let inclusion = InclusionProof(
        index: try members.number("index"), count: try members.number("leaves"), path: path)
      seal = SnapshotSeal(
        statement: try members.bytes("statement"), signature: try members.bytes("signature"),
        certificate: try members.bytes("certificate"), authority: try members.bytes("authority"))
      let record = Record(key: key, version: Version(rawValue: try members.number("version")), value: value)
      proof = SnapshotProof(
        span: Lifespan(record, to: Version(rawValue: try members.number("to"))), inclusion: inclusion,
        statement: try ProofText.statement(seal.statement))
    } catch {
      throw .malformed("the proof is malformed: \(error.words)")
    }
  }

  private static func statement(_ bytes: [UInt8]) throws(JSONError) -> SnapshotStatement {
    do throws(ByteError) {
      return try SnapshotStatement(decoding: bytes)
    } catch {
      throw JSONError(words: "its statement: \(error)")
    }
  }

  /// The members of a line, by name.
  private struct Members {
    let found: [String: [UInt8]]

    func text(_ name: String) -> String { String(decoding: found[name] ?? [], as: UTF8.self) }

    func number(_ name: String) throws(JSONError) -> UInt64 {
      guard let number = UInt64(text(name)) else { throw JSONError(words: "expected a number in the member \(name)") }
      return number
    }

    func bytes(_ name: String) throws(JSONError) -> [UInt8] {
      guard let text = found[name], let bytes = Members.bytes(text) else {
        throw JSONError(words: "expected hexadecimal digits in the member \(name)")
      }
      return bytes
    }

    static func bytes(_ digits: some Collection<UInt8>) -> [UInt8]? {
      guard digits.count % 2 == 0 else { return nil }
      var bytes: [UInt8] = []
      var high: UInt8?
      for digit in digits {
        guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
        if let first = high {
          bytes.append(first << 4 | UInt8(value))
          high = nil
        } else {
          high = UInt8(value)
        }
      }
      return bytes
    }
  }
}

/// `kv snapshot verify --proof`: whether a record was in a snapshot.
struct ProofCheck {
  /// The root that the caller trusts; nil: the one that the cluster signed.
  let root: String?
  let global: GlobalOptions

  func run(_ path: String, _ output: OutputStream) throws(CommandError) -> ExitCode {
    if let root, root.utf8.count != ProofCheck.rootDigits || !root.allSatisfy(\.isHexDigit) {
      throw .usage("--root takes the \(ProofCheck.rootDigits) hexadecimal digits of a root")
    }
    let input = try InputStream(opening: path)
    guard let text = try input.all(limit: ProofCheck.proofBytes) else {
      throw .malformed("\(path): longer than any proof")
    }
    let parsed = try ProofText(parsing: text.last == UInt8(ascii: "\n") ? Array(text.dropLast()) : text)
    let proof = parsed.proof
    guard let found = proof.root.map(hexadecimal) else {
      throw .mismatch("\(path): the path does not lead from place \(proof.inclusion.index) to a root")
    }
    if let stated = parsed.statedRoot, stated.lowercased() != found {
      throw .mismatch("\(path): the record leads to the root \(found), and the member root is another")
    }
    if let root {
      guard found == root.lowercased() else {
        throw .mismatch("\(path): the record leads to the root \(found), not to \(root)")
      }
    } else {
      guard found == hexadecimal(proof.statement.root) else {
        let named = hexadecimal(proof.statement.root)
        throw .mismatch("\(path): the record leads to the root \(found), the statement names \(named)")
      }
      let trust = try onSnapshot { () throws(SnapshotError) in
        try SnapshotTrust(proof.statement, parsed.seal, path: path)
      }
      _ = try SnapshotAuthority.check(trust, proof.statement, path: path, global)
    }
    guard proof.inclusion.count == proof.statement.records else {
      throw .mismatch(
        "\(path): one of \(proof.inclusion.count) leaves, and the statement names \(proof.statement.records) records")
    }
    let record = proof.span.record
    guard !global.json else {
      var object = JSONObject()
      object.data("key", record.key.bytes)
      object.version("version", record.version)
      object.number("value_bytes", record.value.count)
      object.string("root", found)
      try output.write(object.line)
      return .done
    }
    try output.line(
      "\(Escaping.text(record.key.bytes)): in the snapshot with root \(found), a value of \(record.value.count) bytes,"
        + " version \(record.version)")
    return .done
  }

  private static let rootDigits = 64
  /// The longest line of a proof: a record of full size, and a path.
  private static let proofBytes = RecordBounds.lineBytes + (1 << 16)
}
