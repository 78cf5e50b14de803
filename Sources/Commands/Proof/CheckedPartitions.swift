import Bytes
import Glibc

/// A file that says which partitions a check has found equal, so that one which was interrupted goes on: what the check
/// is of in the first line, then a partition's number a line, replaced as a whole. It goes when all are equal.
struct CheckedPartitions {
  private let path: String
  private let question: String
  private(set) var equal: Set<UInt32> = []

  /// The longest file that is one.
  private static let mostBytes = 1 << 20

  /// What a file says, which need not exist yet; refused where it is of another check.
  init(path: String, cluster: String, prefix: [UInt8], at: Version?) throws(CommandError) {
    self.path = path
    let moment = at.map { " at \($0)" } ?? ""
    let keys = prefix.isEmpty ? "" : " of keys from '\(Escaping.text(prefix))'"
    question = "kv verify, cluster \(cluster)\(moment)\(keys)"
    let bytes: [UInt8]?
    do throws(CommandError) {
      bytes = try InputStream(opening: path).all(limit: CheckedPartitions.mostBytes)
    } catch {
      guard error.exitCode == .missingFile else { throw error }
      return
    }
    let lines = bytes.map { String(decoding: $0, as: UTF8.self).split(separator: "\n") } ?? []
    let numbers = lines.dropFirst().map { UInt32($0) }
    guard let first = lines.first, !numbers.contains(nil) else {
      throw .malformed("\(path) is not what kv verify --resume writes")
    }
    guard first == question else {
      throw .malformed("\(path) is of another check: '\(Escaping.text(Array(first.utf8)))', not '\(question)'")
    }
    equal = Set(numbers.compactMap { $0 })
  }

  /// Takes a partition in, durably.
  mutating func note(_ group: UInt32) throws(CommandError) {
    equal.insert(group)
    let (question, equal) = (question, equal)
    _ = try FileReplacement.write(path) { (file) throws(CommandError) in
      try file.line(question)
      for group in equal.sorted() { try file.line("\(group)") }
      return .done
    }
  }

  /// Ends it: the next check begins anew.
  func remove() { unlink(path) }
}
