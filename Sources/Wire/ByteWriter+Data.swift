public import Bytes
public import FoundationEssentials

extension ByteWriter {
  /// What was written, as a protobuf `bytes` field takes it.
  public var data: Data { Data(bytes) }
}
