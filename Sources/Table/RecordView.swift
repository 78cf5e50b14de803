public import Bytes

/// A record where it lies, in a block, a memtable or the caller's own memory: key and value are lent.
///
/// SAFETY: both buffers stay valid until the cursor that gave the view moves or is released, and no longer; whoever
/// keeps a record beyond that copies it (`record`).
public struct RecordView {
  /// The bytes of the key.
  public let key: UnsafeRawBufferPointer
  /// The bytes of the value; empty for a tombstone.
  public let value: UnsafeRawBufferPointer
  /// The version of the write.
  public let version: Version
  /// Whether it put or deleted.
  public let kind: Record.Kind
  /// Of a current record, how far below its version the versions of the key reach that are folded into it; of one in
  /// history, after how much its successor came.
  public let span: UInt64

  /// A view of these parts.
  @inlinable
  public init(
    key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, version: Version, kind: Record.Kind, span: UInt64 = 0
  ) {
    self.key = key
    self.value = value
    self.version = version
    self.kind = kind
    self.span = span
  }

  /// Of a current record: the oldest version of the key that is folded into it; its own where there is none.
  @inlinable
  public var since: Version { Version(rawValue: version.rawValue &- span) }

  /// Of a record in history: the version that replaced it.
  @inlinable
  public var to: Version { Version(rawValue: version.rawValue &+ span) }

  /// Appends the record in the form of `Record.encode(into:)`, with an empty value if `keyOnly`.
  public func encode(into writer: inout ByteWriter, keyOnly: Bool = false) {
    let shown = keyOnly ? UnsafeRawBufferPointer(start: nil, count: 0) : value
    Record.encode(key: key, version: version, kind: kind, value: shown, into: &writer)
  }

  /// A view of nothing: what a cursor shows that stands on no record.
  @inlinable
  public static var none: RecordView {
    RecordView(
      key: UnsafeRawBufferPointer(start: nil, count: 0), value: UnsafeRawBufferPointer(start: nil, count: 0),
      version: .zero, kind: .tombstone)
  }

  /// The record, copied.
  public var record: Record {
    Record(key: Key(Array(key)), version: version, kind: kind, value: Array(value))
  }
}

extension Record {
  /// Lends the record to a closure.
  public func withView<Result, Failure: Error>(
    _ body: (RecordView) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try key.bytes.withRawBytes { (key) throws(Failure) in
      try value.withRawBytes { (value) throws(Failure) in
        try body(RecordView(key: key, value: value, version: version, kind: kind))
      }
    }
  }
}

extension [UInt8] {
  /// Lends the array's bytes to a closure; `withUnsafeBytes`, but with the closure's own error type.
  @inlinable
  public func withRawBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeBufferPointer { (buffer) throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
  }
}
