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
    to = try Lifespan.end(of: record.version, from: &reader)
  }

  /// Reads the version that stands behind a record of a version.
  public static func end(of version: Version, from reader: inout ByteReader) throws(ByteError) -> Version {
    let offset = reader.offset
    let to = Version(rawValue: try reader.u64())
    guard to > version else {
      throw .malformed(offset: offset, expected: "a version above \(version)", found: "\(to)")
    }
    return to
  }
}
