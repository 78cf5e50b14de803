/// Some bytes of a file and what they mean.
public struct DumpLine: Equatable, Sendable {
  /// Where the bytes begin.
  public let offset: UInt64
  /// The bytes.
  public let bytes: [UInt8]
  /// Their meaning, or what is wrong with them.
  public let note: String

  /// A line of these parts.
  public init(offset: UInt64, bytes: [UInt8], note: String) {
    self.offset = offset
    self.bytes = bytes
    self.note = note
  }

  /// The line as text: the offset in hexadecimal, the bytes, eight a line, at most `limit` of them, and the note on the
  /// first line.
  public func text(limit: Int = .max) -> String {
    var rows: [String] = []
    let shown = bytes.prefix(limit)
    var at = 0
    repeat {
      let row = shown[at..<min(at + 8, shown.count)]
      let digits = String(offset + UInt64(at), radix: 16)
      let hex = row.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      var line = String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "  " + hex
      if at == 0, !note.isEmpty { line += String(repeating: " ", count: 25 - hex.utf8.count) + note }
      rows.append(line)
      at += 8
    } while at < shown.count
    if shown.count < bytes.count { rows.append("      and \(bytes.count - shown.count) more bytes") }
    return rows.joined(separator: "\n")
  }
}

/// Takes the fields of some bytes one by one and says what each means.
public struct Annotator {
  private var reader: ByteReader
  private let bytes: [UInt8]
  private let base: UInt64
  private let emit: (DumpLine) -> Void

  /// An annotator of bytes that lie at an offset of their file.
  public init(_ bytes: [UInt8], at base: UInt64, _ emit: @escaping (DumpLine) -> Void) {
    self.bytes = bytes
    self.base = base
    self.emit = emit
    reader = ByteReader(bytes)
  }

  /// Whether all bytes were taken.
  public var isAtEnd: Bool { reader.isAtEnd }
  /// The offset of the next byte within the bytes.
  public var offset: Int { reader.offset }
  /// The number of bytes not yet taken.
  public var remaining: Int { reader.remaining }

  /// Takes a field with `read` and notes what `note` makes of its value.
  @discardableResult
  public mutating func take<Value>(
    _ read: (inout ByteReader) throws(ByteError) -> Value, _ note: (Value) -> String
  ) throws(ByteError) -> Value {
    let start = reader.offset
    let value = try read(&reader)
    emit(DumpLine(offset: base + UInt64(start), bytes: Array(bytes[start..<reader.offset]), note: note(value)))
    return value
  }

  /// Takes a u64.
  @discardableResult
  public mutating func u64(_ name: String) throws(ByteError) -> UInt64 {
    try take({ (reader) throws(ByteError) in try reader.u64() }, { "\(name) \($0)" })
  }

  /// Takes a u32.
  @discardableResult
  public mutating func u32(_ name: String) throws(ByteError) -> UInt32 {
    try take({ (reader) throws(ByteError) in try reader.u32() }, { "\(name) \($0)" })
  }

  /// Takes bytes that are shown escaped.
  public mutating func text(_ count: Int, _ name: String = "") throws(ByteError) {
    guard count > 0 else { return }
    let head = name.isEmpty ? "" : name + " "
    try take({ (reader) throws(ByteError) in try reader.bytes(count) }, { head + Escaping.text($0) })
  }

  /// Takes all that is left.
  public mutating func rest(_ note: String) {
    let start = reader.offset
    guard start < bytes.count, (try? reader.range(bytes.count - start)) != nil else { return }
    emit(DumpLine(offset: base + UInt64(start), bytes: Array(bytes[start...]), note: note))
  }
}
