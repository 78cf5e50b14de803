import Bytes

/// The escaped key, newline.
enum KeysFormat {
  static func append(_ key: Key, to output: inout [UInt8]) {
    output.append(contentsOf: Escaping.escape(key.bytes))
    output.append(UInt8(ascii: "\n"))
  }

  /// Reads one line; the last may lack its newline.
  static func next(from input: InputStream) throws(CommandError) -> DecodedRecord {
    switch try input.part(upTo: UInt8(ascii: "\n"), limit: RecordBounds.lineBytes) {
    case .end: return .end
    case .tooLong: return try RecordBounds.tooLong(input)
    case .complete(let line), .unfinished(let line):
      do throws(ByteError) {
        return .checked(key: try Escaping.unescape(line[...]))
      } catch {
        return .malformed("\(error)")
      }
    }
  }
}
