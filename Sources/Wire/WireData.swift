public import FoundationEssentials
public import SwiftProtobuf

extension Data {
  /// The bytes of a protobuf field as an array.
  public var array: [UInt8] { [UInt8](self) }
}

extension SwiftProtobuf.Message {
  /// The encoded message. The messages of this package always encode: none has required or `Any` fields.
  public var encoded: [UInt8] {
    do {
      return try serializedBytes()
    } catch {
      preconditionFailure("\(Self.protoMessageName) does not encode: \(error)")
    }
  }

  /// Decodes a message that came from a disk or a network; nil if the bytes are not one.
  ///
  /// SAFETY: the bytes are lent for the call; the message holds copies.
  public init?(untrusted bytes: UnsafeRawBufferPointer) {
    do {
      try self.init(serializedBytes: LentBytes(bytes: bytes))
    } catch {
      return nil
    }
  }

  /// Decodes a message that came from a disk or a network; nil if the bytes are not one.
  public init?(untrusted bytes: [UInt8]) {
    do {
      try self.init(serializedBytes: bytes)
    } catch {
      return nil
    }
  }
}
