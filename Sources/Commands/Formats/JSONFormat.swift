import Bytes
import FoundationEssentials

/// One JSON object a line: `key` or `key_b64`, `value` or `value_b64`, `version`.
enum JSONFormat {
  static func append(_ record: Record, to output: inout [UInt8]) {
    output.append(contentsOf: object(record).line)
  }

  /// The members of a record.
  static func object(_ record: Record) -> JSONObject {
    var object = JSONObject()
    object.data("key", record.key.bytes)
    object.data("value", record.value)
    object.version("version", record.version)
    return object
  }

  /// Reads one line.
  static func next(from input: InputStream, needsValue: Bool) throws(CommandError) -> DecodedRecord {
    switch try input.part(upTo: UInt8(ascii: "\n"), limit: RecordBounds.lineBytes) {
    case .end: return .end
    case .tooLong: return try RecordBounds.tooLong(input)
    case .complete(let line), .unfinished(let line): return decode(line, needsValue: needsValue)
    }
  }

  /// The words for what a write did.
  private static let kinds = [Record.Kind.value.word, Record.Kind.tombstone.word]

  /// Reads key and value out of an object; of a deletion as `watch` prints it (`"kind":"delete"`) the key. Other members,
  /// such as `version`, say nothing about a write.
  static func decode(_ line: [UInt8], needsValue: Bool = true) -> DecodedRecord {
    do throws(JSONError) {
      var reader = JSONReader(line)
      let members = try reader.members(wanted: ["key", "key_b64", "value", "value_b64"], choices: ["kind": kinds])
      let key = try bytes(of: "key", in: members)
      let hasValue = members["value"] != nil || members["value_b64"] != nil
      let isDeletion = members["kind"] == Array(Record.Kind.tombstone.word.utf8)
      if isDeletion, hasValue { throw JSONError(words: "expected no value in a deletion, found one") }
      if isDeletion || !needsValue && !hasValue { return .checked(key: key) }
      let value = try bytes(of: "value", in: members)
      return .checked(key: key, value: value)
    } catch {
      return .malformed(error.words)
    }
  }

  private static func bytes(of name: String, in members: [String: [UInt8]]) throws(JSONError) -> [UInt8] {
    switch (members[name], members[name + "_b64"]) {
    case (let text?, nil):
      return text
    case (nil, let encoded?):
      // It takes other forms as well, some of them for what may have been cut off.
      let encoded = Data(encoded)
      guard let decoded = Data(base64Encoded: encoded), decoded.base64EncodedData() == encoded else {
        throw JSONError(words: "expected base64 in the member \(name)_b64, found something else")
      }
      return [UInt8](decoded)
    case (nil, nil):
      throw JSONError(words: "expected a member \(name) or \(name)_b64, found neither")
    case (_?, _?):
      throw JSONError(words: "expected one of the members \(name) and \(name)_b64, found both")
    }
  }
}
