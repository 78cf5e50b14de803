import ArgumentParser
import Bytes
import Client

/// How records are written and read: the formats of `range`, `get --format` and `put --from`.
public enum RecordFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// One line a record: escaped key, tab, escaped value.
  case tsv
  /// One JSON object a line.
  case json
  /// One line a record: the escaped key alone.
  case keys
  /// Key, NUL, value, NUL.
  case nul
  /// The records of cdbmake(1): `+klen,vlen:key->value`, an empty line at the end.
  case cdb

  /// Whether the format holds values, so that it can be read back.
  public var hasValues: Bool { self != .keys }

  /// What one piece of a stream is called.
  var unit: String {
    switch self {
    case .tsv, .json, .keys: "line"
    case .nul, .cdb: "record"
    }
  }

  /// Appends one record.
  public func append(_ record: Record, to output: inout [UInt8]) throws(CommandError) {
    switch self {
    case .tsv: TSVFormat.append(record, to: &output)
    case .json: JSONFormat.append(record, to: &output)
    case .keys: KeysFormat.append(record.key, to: &output)
    case .nul: try NulFormat.append(record, to: &output)
    case .cdb: CDBFormat.append(record, to: &output)
    }
  }

  /// Appends one record that is lent.
  func append(_ view: RangeView, to output: inout [UInt8]) throws(CommandError) {
    if self == .tsv {
      TSVFormat.append(key: view.key, value: view.value, to: &output)
    } else {
      try append(view.record, to: &output)
    }
  }

  /// Appends what stands behind the last record.
  public func appendEnd(to output: inout [UInt8]) {
    if self == .cdb { output.append(UInt8(ascii: "\n")) }
  }

  /// Reads the next record of a stream, or the next key where no value is needed.
  public func next(from input: InputStream, needsValue: Bool = true) throws(CommandError) -> DecodedRecord {
    switch self {
    case .tsv: try TSVFormat.next(from: input)
    case .json: try JSONFormat.next(from: input, needsValue: needsValue)
    case .keys: try KeysFormat.next(from: input)
    case .nul: try NulFormat.next(from: input)
    case .cdb: try CDBFormat.next(from: input)
    }
  }
}

/// What a format found in its input.
public enum DecodedRecord: Equatable {
  /// A record.
  case record(Key, [UInt8])
  /// A key without a value: of a deletion, or all that the format holds.
  case key(Key)
  /// This one isn't a record; the next may be.
  case malformed(String)
  /// What follows can't be told apart any more.
  case broken(String)
  /// All was read.
  case end

  /// A record, if key and value are within the limits.
  static func checked(key: [UInt8], value: [UInt8]) -> DecodedRecord {
    if let words = RecordBounds.violation(key: key) ?? RecordBounds.violation(value: value) {
      return .malformed(words)
    }
    return .record(Key(key), value)
  }

  /// A key, if it is within the limit.
  static func checked(key: [UInt8]) -> DecodedRecord {
    RecordBounds.violation(key: key).map { .malformed($0) } ?? .key(Key(key))
  }
}

/// The limits of keys and values, in words.
enum RecordBounds {
  /// What is wrong with a key; nil: nothing.
  static func violation(key: [UInt8]) -> String? {
    let limit = Limits.keyBytes
    return key.count > limit.rawValue ? "a key of \(key.count) bytes: the longest is \(limit)" : nil
  }

  /// What is wrong with a value; nil: nothing.
  static func violation(value: [UInt8]) -> String? {
    let limit = Limits.valueBytes
    return value.count > limit.rawValue ? "a value of \(value.count) bytes: the largest is \(limit)" : nil
  }

  /// The longest line that a record of full size can take in any text format: every byte as `\u00HH`, and a margin
  /// for the names around.
  static let lineBytes = 6 * (Limits.keyBytes.rawValue + Limits.valueBytes.rawValue) + 4096

  /// A line that is longer, which is passed over.
  static func tooLong(_ input: InputStream) throws(CommandError) -> DecodedRecord {
    try input.skip(past: UInt8(ascii: "\n"))
    return .malformed("the line is longer than \(lineBytes) bytes")
  }
}
