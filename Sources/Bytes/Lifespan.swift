/// A record and the version that replaced it: it is alive from its own version up to that one.
public struct Lifespan: Hashable, Sendable {
  /// The record.
  public let record: Record
  /// The first version at which it is not alive any more; `Version.max` where none is known.
  public let to: Version

  /// A record that was replaced at a version.
  public init(_ record: Record, to: Version) {
    self.record = record
    self.to = to
  }

  /// Appends the record, and behind it the version u64.
  public func encode(into writer: inout ByteWriter) {
    record.encode(into: &writer)
    writer.u64(to.rawValue)
  }

  /// Reads what `encode` wrote.
  public init(from reader: inout ByteReader) throws(ByteError) {
    record = try Record(from: &reader)
    let offset = reader.offset
    to = Version(rawValue: try reader.u64())
    guard to > record.version else {
      throw .malformed(offset: offset, expected: "a version above \(record.version)", found: "\(to)")
    }
  }
}
