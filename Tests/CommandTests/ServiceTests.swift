import Glibc
import Testing

@testable import Commands

@Suite("A node under a service manager")
struct ServiceTests {
  @Test("It tells the manager when it serves, and when it stops", .timeLimit(.minutes(1)))
  func notifications() throws {
    let place = try DirectoryTree.makeTemporary("kv-service-")
    defer { DirectoryTree.remove(place) }
    let manager = try #require(Self.bind("\(place)/notify"))
    defer { close(manager) }
    let node = try ChildProcess(
      TormentSettings.program,
      ["serve", "-d", "\(place)/node", "--stop-at-end-of-input"].map { Array($0.utf8) }, holdsInput: true,
      output: .file("\(place)/output"), errors: .file("\(place)/errors"),
      environment: ["NOTIFY_SOCKET": "\(place)/notify"])
    defer { node.signal(SIGKILL) }
    #expect(Self.receive(manager).contains("READY=1\n"))
    node.signal(SIGTERM)
    #expect(Self.receive(manager).contains("STOPPING=1\n"))
    #expect(node.wait(milliseconds: 20_000) == 0)
  }

  /// A datagram socket at a path, whose reads end after 20 seconds.
  private static func bind(_ path: String) -> Int32? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    // SAFETY: a sockaddr_un is a sockaddr for calls that are told its length; it lives for the call.
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return bound == 0 ? descriptor : nil
  }

  /// The next datagram, with a newline behind its last line; empty if none comes.
  private static func receive(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 1024)
    // SAFETY: recv writes at most the bytes of the buffer.
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) + "\n" : ""
  }
}
