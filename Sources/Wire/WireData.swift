public import FoundationEssentials
public import SwiftProtobuf

/// A field of bytes in a message.
public typealias WireBytes = Data

extension WireBytes {
  /// The bytes of a protobuf field as an array.
  public var array: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

  /// Lends the bytes.
  ///
  /// SAFETY: they are valid for the call alone, and only to be read.
  public func lend<Result>(to body: (UnsafeRawBufferPointer) -> Result) -> Result { withUnsafeBytes(body) }
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

extension WireMember {
  /// Its part of the load against those of the others.
  public var share: UInt32 { hasWeight ? weight : 1 }
}
