import ArgumentParser
import Bytes

/// How `history` and `watch` print the versions of keys.
enum ChangeFormat: String, CaseIterable, ExpressibleByArgument {
  /// One line a version, its columns separated by tabs.
  case tsv
  /// One JSON object a line.
  case json

  /// Appends one version of a key. `namesKey`: whether the line says of which key.
  func append(_ change: Record, namesKey: Bool, to output: inout [UInt8]) {
    switch self {
    case .tsv: ChangeFormat.appendColumns(change, namesKey: namesKey, to: &output)
    case .json: output.append(contentsOf: ChangeFormat.object(change).line)
    }
  }

  /// Version, time, `put` or `delete`, the escaped key if wanted, and for a put the escaped value.
  private static func appendColumns(_ change: Record, namesKey: Bool, to output: inout [UInt8]) {
    let tab = UInt8(ascii: "\t")
    output.append(contentsOf: "\(change.version)\t\(change.version.time)\t\(change.kind.word)".utf8)
    if namesKey { output += [tab] + Escaping.escape(change.key.bytes) }
    if change.kind == .value { output += [tab] + Escaping.escape(change.value) }
    output.append(UInt8(ascii: "\n"))
  }

  private static func object(_ change: Record) -> JSONObject {
    var object = JSONObject()
    object.version("version", change.version)
    object.string("time", change.version.time)
    object.string("kind", change.kind.word)
    object.data("key", change.key.bytes)
    if change.kind == .value { object.data("value", change.value) }
    return object
  }
}

extension Version {
  /// When the version was given out, as RFC 3339 writes it.
  var time: String { CivilTime.text(milliseconds: milliseconds) }
}

extension Record.Kind {
  /// What the write did, in a word.
  var word: String { self == .value ? "put" : "delete" }
}
