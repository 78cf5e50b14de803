import Bytes

/// The records that cdbmake(1) reads: `+klen,vlen:key->value` and a newline each, and an empty line at the end.
/// It holds any bytes, and its end shows that nothing was cut off.
enum CDBFormat {
  static func append(_ record: Record, to output: inout [UInt8]) {
    output.append(contentsOf: "+\(record.key.bytes.count),\(record.value.count):".utf8)
    output.append(contentsOf: record.key.bytes)
    output.append(contentsOf: "->".utf8)
    output.append(contentsOf: record.value)
    output.append(UInt8(ascii: "\n"))
  }

  static func next(from input: InputStream) throws(CommandError) -> DecodedRecord {
    guard let mark = try input.bytes(1) else { return .broken("the input ends without the empty line: it was cut off") }
    if mark == Array("\n".utf8) {
      return try input.isAtEnd() ? .end : .broken("bytes follow the empty line at the end")
    }
    guard mark == Array("+".utf8) else { return .broken("expected + or an empty line, found \(Escaping.text(mark))") }
    guard let keyLength = try length(upTo: ",", from: input), let valueLength = try length(upTo: ":", from: input)
    else {
      return .broken("expected +KEYLENGTH,VALUELENGTH: at the head of the record")
    }
    let keyFits = keyLength <= Limits.keyBytes.rawValue
    let valueFits = valueLength <= Limits.valueBytes.rawValue
    guard let key = try part(keyLength, isWanted: keyFits, of: input), let arrow = try input.bytes(2),
      let value = try part(valueLength, isWanted: valueFits, of: input), let newline = try input.bytes(1)
    else { return .broken("the input ends within the record") }
    guard arrow == Array("->".utf8), newline == Array("\n".utf8) else {
      return .broken("expected -> behind the key and a newline behind the value: the lengths are wrong")
    }
    guard keyFits else { return .malformed("a key of \(keyLength) bytes: the longest is \(Limits.keyBytes)") }
    guard valueFits else { return .malformed("a value of \(valueLength) bytes: the largest is \(Limits.valueBytes)") }
    return .record(Key(key), value)
  }

  /// So many bytes of the input, or none where they are passed over; nil where it ends before.
  private static func part(_ count: Int, isWanted: Bool, of input: InputStream) throws(CommandError) -> [UInt8]? {
    guard !isWanted else { return try input.bytes(count) }
    var left = count
    while left > 0 {
      let step = min(left, 1 << 16)
      guard try input.bytes(step) != nil else { return nil }
      left -= step
    }
    return []
  }

  /// A decimal number up to its delimiter; nil if there is none of at most twelve digits.
  private static func length(upTo delimiter: Unicode.Scalar, from input: InputStream) throws(CommandError) -> Int? {
    guard case .complete(let digits) = try input.part(upTo: UInt8(ascii: delimiter), limit: 12),
      !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }
}
