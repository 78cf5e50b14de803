import Bytes
import Wire

/// Requests as a client of the simulated world makes them.
enum Requests {
  static let timeoutMilliseconds: UInt32 = 4_000

  /// A session of a client: a UUIDv7 of the world's right time.
  static func session(client: Int, wallMilliseconds: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.u64((wallMilliseconds << 16 | 0x7000).byteSwapped)
    writer.u64(UInt64(client).byteSwapped)
    return writer.bytes
  }

  static func make(_ intent: Intent, key: [UInt8], session: [UInt8], sequence: UInt64, isEventual: Bool) -> WireRequest
  {
    var request = WireRequest()
    request.timeoutMs = timeoutMilliseconds
    switch intent {
    case .write(let value, let condition):
      request.write = write(value, condition, key: key)
      request.write.session = .init(session)
      request.write.sequence = sequence
      request.write.acknowledged = sequence - 1
    case .read:
      request.get = .with {
        $0.key = .init(key)
        $0.eventual = isEventual
      }
    case .readAt(let version):
      request.get = .with {
        $0.key = .init(key)
        $0.at = version.rawValue
        $0.eventual = isEventual
      }
    }
    return request
  }

  /// One value under several keys, together.
  static func batch(_ intent: Intent, keys: [[UInt8]], session: [UInt8], sequence: UInt64) -> WireRequest {
    guard case .write(let value, let condition) = intent else { preconditionFailure("only writes come in batches") }
    return .with {
      $0.timeoutMs = timeoutMilliseconds
      $0.batch = .with {
        $0.session = .init(session)
        $0.sequence = sequence
        $0.acknowledged = sequence - 1
        $0.writes = keys.map { write(value, condition, key: $0) }
      }
    }
  }

  static func acknowledgement(session: [UInt8], through sequence: UInt64) -> WireRequest {
    .with {
      $0.timeoutMs = timeoutMilliseconds
      $0.acknowledge = .with {
        $0.session = .init(session)
        $0.through = sequence
      }
    }
  }

  private static func write(_ value: [UInt8]?, _ condition: Intent.Condition, key: [UInt8]) -> WireWriteRequest {
    .with {
      $0.key = .init(key)
      $0.value = .init(value ?? [])
      $0.tombstone = value == nil
      switch condition {
      case .none: $0.condition = .none
      case .absent: $0.condition = .ifAbsent
      case .version(let version):
        $0.condition = .ifVersion
        $0.expected = version.rawValue
      }
    }
  }

  static func range(_ parts: [WireMapResponse.Partition], at version: Version, isReverse: Bool) -> WireRequest {
    .with {
      $0.timeoutMs = timeoutMilliseconds
      $0.range = .with {
        $0.groups = parts.map(\.group)
        $0.arcBits = parts.map(\.bits)
        $0.at = version.rawValue
        $0.reverse = isReverse
        $0.credit = 1 << 20
      }
    }
  }
}
