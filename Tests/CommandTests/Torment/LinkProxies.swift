import Bytes
import Glibc
import Synchronization

@testable import Commands

/// Loopback proxies before the nodes of a cluster, one for each, which hold up what some nodes send to others: a broken
/// network, made without privileges.
///
/// Nodes reach each other through the proxies, for those are the addresses that they advertise. Who has opened a
/// connection is found in proc(5). What is held up is delivered later, as TCP does once a link works again.
final class LinkProxies: Sendable {
  /// The way from one node to another; nil is any other process.
  private struct Way: Hashable {
    let from: Int?
    let to: Int?
  }

  private struct Content {
    var cuts: Set<Way> = []
    var nodes: [pid_t: Int] = [:]
    var threads: [pthread_t] = []
    var heldBytes = 0
    /// How many bytes a second each connection between nodes carries each way; nil: as many as it can.
    var bytesPerSecond: Int?
  }

  /// How long a read waits before it looks whether the proxies end, in milliseconds.
  private static let patience = 100
  /// How often a way that is cut is looked at, in milliseconds.
  private static let pause: UInt64 = 5
  private static let bufferBytes = 65_536

  /// Where the proxies listen, on 127.0.0.1: node by node.
  let ports: [Int]
  private let content = Mutex(Content())
  private let isStopped = Atomic(false)

  /// Starts proxies before the nodes that listen on these ports of 127.0.0.1.
  init(before targets: [Int]) throws(CommandError) {
    var listeners: [LoopbackSocket] = []
    for _ in targets { listeners.append(try LoopbackSocket.listening()) }
    ports = listeners.map(\.port)
    for (node, (listener, target)) in zip(listeners, targets).enumerated() {
      start { self.accept(listener, for: node, target: target) }
    }
  }

  /// Tells which process a node is now.
  func register(_ pid: pid_t, as node: Int) { content.withLock { $0.nodes[pid] = node } }

  /// Holds up what one node sends to another from now on.
  func cut(from: Int, to: Int) { content.withLock { _ = $0.cuts.insert(Way(from: from, to: to)) } }

  /// Holds up nothing any more.
  func heal() { content.withLock { $0.cuts = [] } }

  /// Has each connection between two nodes carry so much and no more.
  func limit(bytesPerSecond: Int?) { content.withLock { $0.bytesPerSecond = bytesPerSecond } }

  /// How many bytes were held up so far.
  var heldBytes: Int { content.withLock { $0.heldBytes } }

  /// Closes all connections and ends.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    while true {
      let threads = content.withLock { content in
        defer { content.threads = [] }
        return content.threads
      }
      guard !threads.isEmpty else { return }
      for thread in threads { pthread_join(thread, nil) }
    }
  }

  private func start(_ body: @escaping @Sendable () -> Void) {
    guard let thread = Threads.start(body) else { return }
    content.withLock { $0.threads.append(thread) }
  }

  private var goesOn: Bool { !isStopped.load(ordering: .acquiring) }

  private func accept(_ listener: LoopbackSocket, for node: Int, target: Int) {
    while goesOn {
      guard let inbound = listener.accept(milliseconds: LinkProxies.patience) else { continue }
      let opener = SocketOwner.find(localPort: inbound.peerPort, among: content.withLock { Array($0.nodes.keys) })
      guard let outbound = LoopbackSocket.connected(to: target) else { continue }
      start { self.carry(inbound, outbound) { Way(from: self.node(opener), to: node) } }
      start { self.carry(outbound, inbound) { Way(from: node, to: self.node(opener)) } }
    }
  }

  private func isCut(_ way: Way) -> Bool { content.withLock { $0.cuts.contains(way) } }

  private func node(_ pid: pid_t?) -> Int? { pid.flatMap { pid in content.withLock { $0.nodes[pid] } } }

  /// Carries one direction of a connection until it ends.
  private func carry(_ source: LoopbackSocket, _ sink: LoopbackSocket, way: () -> Way) {
    var buffer = [UInt8](repeating: 0, count: LinkProxies.bufferBytes)
    while goesOn, let count = source.receive(into: &buffer, milliseconds: LinkProxies.patience) {
      guard count > 0 else { continue }
      var wasHeld = false
      while goesOn, isCut(way()) {
        wasHeld = true
        ProcessFacts.sleep(milliseconds: LinkProxies.pause)
      }
      if let rate = content.withLock({ $0.bytesPerSecond }), way().from != nil, way().to != nil {
        ProcessFacts.sleep(milliseconds: UInt64(count * 1000 / rate))
      }
      if wasHeld { content.withLock { $0.heldBytes += count } }
      guard sink.send(buffer[..<count]) else { break }
    }
    sink.endOutput()
    source.endInput()
  }
}
