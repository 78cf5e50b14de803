import Bytes

/// Key, NUL, value, NUL: for `xargs -0`, `sort -z` and their kin. It can't hold a NUL within a key or value.
enum NulFormat {
  static func append(_ record: Record, to output: inout [UInt8]) throws(CommandError) {
    for (name, bytes) in [("key", record.key.bytes), ("value", record.value)] where bytes.contains(0) {
      throw .malformed(
        "the \(name) of \(Escaping.text(record.key.bytes)) holds a NUL byte, which the format nul can't express:"
          + " use cdb, json or tsv")
    }
    output.append(contentsOf: record.key.bytes)
    output.append(0)
    output.append(contentsOf: record.value)
    output.append(0)
  }

  static func next(from input: InputStream) throws(CommandError) -> DecodedRecord {
    let key: [UInt8]
    switch try input.part(upTo: 0, limit: Limits.keyBytes.rawValue) {
    case .end: return .end
    case .complete(let bytes): key = bytes
    case .unfinished: return .broken("the input ends within a key")
    case .tooLong:
      try input.skip(past: 0)
      try input.skip(past: 0)
      return .malformed("a key longer than \(Limits.keyBytes)")
    }
    switch try input.part(upTo: 0, limit: Limits.valueBytes.rawValue) {
    case .complete(let value): return .record(Key(key), value)
    case .end, .unfinished: return .broken("the input ends within the value of \(Escaping.text(key))")
    case .tooLong:
      try input.skip(past: 0)
      return .malformed("the value of \(Escaping.text(key)) is larger than \(Limits.valueBytes)")
    }
  }
}
