import Bytes
import FoundationEssentials

/// Writes one JSON object on one line, member by member.
struct JSONObject {
  private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

  /// A member that is a string.
  mutating func string(_ name: String, _ value: String) {
    self.name(name)
    JSONObject.appendString(Array(value.utf8), to: &bytes)
  }

  /// A member that is a version: a string of digits, since not every reader of JSON has 64-bit integers.
  mutating func version(_ name: String, _ value: Version) {
    string(name, value.description)
  }

  /// A member that holds any bytes: `name` as a string if they are UTF-8, otherwise `name_b64` in base64.
  mutating func data(_ name: String, _ value: [UInt8]) {
    if Escaping.isUTF8(value) {
      self.name(name)
      JSONObject.appendString(value, to: &bytes)
    } else {
      string(name + "_b64", Data(value).base64EncodedString())
    }
  }

  /// A member that is an integer.
  mutating func number(_ name: String, _ value: some BinaryInteger) {
    self.name(name)
    bytes.append(contentsOf: String(value).utf8)
  }

  /// A member that is a number with a fraction, to three digits; null if it isn't finite.
  mutating func number(_ name: String, _ value: Double) {
    self.name(name)
    bytes.append(contentsOf: (value.isFinite ? String((value * 1000).rounded() / 1000) : "null").utf8)
  }

  /// A member that is true or false.
  mutating func boolean(_ name: String, _ value: Bool) {
    self.name(name)
    bytes.append(contentsOf: String(value).utf8)
  }

  /// A member without a value.
  mutating func null(_ name: String) {
    self.name(name)
    bytes.append(contentsOf: "null".utf8)
  }

  /// A member that is an array of strings.
  mutating func strings(_ name: String, _ values: [String]) {
    self.name(name)
    appendArray(values) { JSONObject.appendString(Array($0.utf8), to: &$1) }
  }

  /// A member that is an array of integers.
  mutating func numbers(_ name: String, _ values: [some BinaryInteger]) {
    self.name(name)
    appendArray(values) { $1.append(contentsOf: String($0).utf8) }
  }

  /// A member that is an array of objects.
  mutating func objects(_ name: String, _ values: [JSONObject]) {
    self.name(name)
    appendArray(values) { $1.append(contentsOf: $0.finished) }
  }

  /// The whole object.
  var finished: [UInt8] { bytes + [UInt8(ascii: "}")] }

  /// The whole object and a newline.
  var line: [UInt8] { bytes + Array("}\n".utf8) }

  private mutating func appendArray<T>(_ values: [T], _ append: (T, inout [UInt8]) -> Void) {
    bytes.append(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      append(value, &bytes)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func name(_ name: String) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    JSONObject.appendString(Array(name.utf8), to: &bytes)
    bytes.append(UInt8(ascii: ":"))
  }

  /// Appends valid UTF-8 as a JSON string (RFC 8259 §7).
  private static func appendString(_ text: [UInt8], to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    var rest = text[...]
    while let place = rest.firstIndex(where: isEscaped) {
      output.append(contentsOf: rest[..<place])
      appendEscaped(rest[place], to: &output)
      rest = rest[(place + 1)...]
    }
    output.append(contentsOf: rest)
    output.append(UInt8(ascii: "\""))
  }

  private static func isEscaped(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7f
  }

  private static func appendEscaped(_ byte: UInt8, to output: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""): output.append(contentsOf: #"\""#.utf8)
    case UInt8(ascii: "\\"): output.append(contentsOf: #"\\"#.utf8)
    case UInt8(ascii: "\n"): output.append(contentsOf: #"\n"#.utf8)
    case UInt8(ascii: "\r"): output.append(contentsOf: #"\r"#.utf8)
    case UInt8(ascii: "\t"): output.append(contentsOf: #"\t"#.utf8)
    default:
      output.append(contentsOf: #"\u00"#.utf8)
      output.append(hexDigits[Int(byte >> 4)])
      output.append(hexDigits[Int(byte & 15)])
    }
  }

  private static let hexDigits = Array("0123456789abcdef".utf8)
}
