import Bytes

/// Escaped key, tab, escaped value, newline.
enum TSVFormat {
  static func append(_ record: Record, to output: inout [UInt8]) {
    record.key.bytes.withUnsafeBytes { key in
      record.value.withUnsafeBytes { append(key: key, value: $0, to: &output) }
    }
  }

  /// SAFETY: key and value are lent for the call.
  static func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    Escaping.append(key, to: &output)
    output.append(UInt8(ascii: "\t"))
    Escaping.append(value, to: &output)
    output.append(UInt8(ascii: "\n"))
  }

  /// Reads one line; the last may lack its newline.
  static func next(from input: InputStream) throws(CommandError) -> DecodedRecord {
    switch try input.part(upTo: UInt8(ascii: "\n"), limit: RecordBounds.lineBytes) {
    case .end: return .end
    case .tooLong: return try RecordBounds.tooLong(input)
    case .complete(let line), .unfinished(let line): return decode(line)
    }
  }

  static func decode(_ line: [UInt8]) -> DecodedRecord {
    guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else {
      return .malformed("expected key, tab and value, found no tab")
    }
    guard !line[(tab + 1)...].contains(UInt8(ascii: "\t")) else {
      return .malformed(#"expected one tab, found more: a tab within a key or value is written \t"#)
    }
    do throws(ByteError) {
      return .checked(key: try Escaping.unescape(line[..<tab]), value: try Escaping.unescape(line[(tab + 1)...]))
    } catch {
      return .malformed("\(error)")
    }
  }
}
