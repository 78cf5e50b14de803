import Bytes
import Glibc
import Synchronization

@testable import Commands

/// What a port scan sends to every port that it finds: anything but a peer with a certificate. Plain sockets, many at
/// once, most of them soon given up.
final class PortScan: Sendable {
  /// The kinds of rubbish, in turn.
  private enum Kind: CaseIterable {
    case randomBytes, halfHello, helloInPieces, oversizedRecord, oversizedFrame, http, silence, closedAtOnce, reset
  }

  private struct Content {
    var threads: [pthread_t] = []
    var connections = 0
    var refusals = 0
  }

  /// So many connections at a time are kept open for each port, and so many silent ones until the end.
  private static let kept = 40
  /// The rest between two connections to one port, in milliseconds.
  private static let rest: UInt64 = 10

  private let content = Mutex(Content())
  private let isStopped = Atomic(false)

  /// Starts to scan these ports of 127.0.0.1.
  init(_ ports: [Int]) {
    let threads = ports.compactMap { port in Threads.start { self.scan(port) } }
    content.withLock { $0.threads = threads }
  }

  /// Ends the scan, and closes all that it still has open.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    let threads = content.withLock { content in
      defer { content.threads = [] }
      return content.threads
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  /// How many connections were made, and how many attempts were refused.
  var connections: (made: Int, refused: Int) { content.withLock { ($0.connections, $0.refusals) } }

  private func scan(_ port: Int) {
    var random = SplitMix64(seed: UInt64(port))
    var open: [Int32] = []
    var silent: [Int32] = []
    var number = 0
    while !isStopped.load(ordering: .acquiring) {
      number += 1
      if let descriptor = PortScan.connect(port) {
        content.withLock { $0.connections += 1 }
        open.append(descriptor)
        let kind = Kind.allCases[number % Kind.allCases.count]
        shout(kind, into: &open, &random)
        if case .silence = kind, silent.count < PortScan.kept { silent.append(open.removeLast()) }
      } else {
        content.withLock { $0.refusals += 1 }
      }
      if open.count > PortScan.kept { close(open.removeFirst()) }
      ProcessFacts.sleep(milliseconds: PortScan.rest)
    }
    for descriptor in open + silent { close(descriptor) }
  }

  private func shout(_ kind: Kind, into open: inout [Int32], _ random: inout SplitMix64) {
    guard let descriptor = open.last else { return }
    switch kind {
    case .randomBytes: PortScan.send(random.bytes(Int.random(in: 1...8192, using: &random)), on: descriptor)
    case .halfHello: PortScan.send(Array(PortScan.hello(&random).prefix(240)), on: descriptor)
    case .helloInPieces:
      for byte in PortScan.hello(&random).prefix(60) { PortScan.send([byte], on: descriptor) }
    case .oversizedRecord: PortScan.send([0x17, 0x03, 0x03, 0xff, 0xff] + random.bytes(70_000), on: descriptor)
    case .oversizedFrame: PortScan.send([0xff, 0xff, 0xff, 0xff, 0x01, 0x01] + random.bytes(1000), on: descriptor)
    case .http: PortScan.send(Array("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8), on: descriptor)
    case .silence: break
    case .closedAtOnce: close(open.removeLast())
    case .reset:
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
      close(open.removeLast())
    }
  }

  /// The beginning of a TLS record that a ClientHello of 508 bytes would fill (RFC 8446 §4.1.2, §5.1), and noise.
  private static func hello(_ random: inout SplitMix64) -> [UInt8] {
    [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03] + random.bytes(32) + [0] + random.bytes(470)
  }

  /// What isn't taken at once is left out.
  private static func send(_ bytes: [UInt8], on descriptor: Int32) {
    // SAFETY: the array is valid while send reads it.
    _ = bytes.withUnsafeBytes {
      Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
  }

  /// A connection to a port of 127.0.0.1.
  private static func connect(_ port: Int) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    // SAFETY: a sockaddr_in is what connect takes behind a sockaddr for AF_INET, with its size.
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result != 0 else { return descriptor }
    close(descriptor)
    return nil
  }
}

extension SplitMix64 {
  /// So many bytes.
  fileprivate mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}
