import Bytes
import Environment
import Logging
import NIOCore
import Node
import TLS
import Transport
import Wire

/// A connection that this node makes to another one, made again whenever it ends. Its frames arrive in order or not at
/// all.
final class PeerLink: FrameReceiver {
  /// SAFETY: the runner lives until its loop ends, and with that every connection.
  private unowned(unsafe) let runner: NodeRunner
  let peer: NodeID
  private let way: PeerFrame.Way
  var address: HostPort
  private var connection: FramedConnection?
  private var isConnecting = false
  /// Given up for want of use: its end is no loss, and another link may be there by then.
  private var isRetired = false
  private var resumption: [UInt8]?
  /// Whether that is of this connection: its server gives one ticket, soon after the handshake.
  private var isResumable = false
  /// How often it could not be made, one after the other.
  private var failures = 0
  /// Why it could not be made last.
  private var failure: String?
  private var openSince: Moment
  private var retryAt: Moment
  /// When a frame was last sent.
  private var lastUsed: Moment
  /// Requests and parts of states that wait for the connection; consensus messages don't, the core sends them anew.
  private var waiting: [(kind: FrameKind, payload: [UInt8])] = []

  private static let mostWaiting = 4096
  private static let longestPauseMilliseconds: UInt64 = 1_000
  /// How long a connection must last before it counts as made: a peer refuses a certificate only after the handshake has
  /// ended here (RFC 8446 §4.4.2).
  private static let proofMilliseconds: UInt64 = 500
  /// How long a connection for states is kept when none is under way.
  private static let idleMilliseconds: UInt64 = 10_000

  init(runner: NodeRunner, peer: NodeID, address: HostPort, way: PeerFrame.Way) {
    self.runner = runner
    self.peer = peer
    self.address = address
    self.way = way
    retryAt = runner.clock.now
    openSince = retryAt
    lastUsed = retryAt
  }

  func send(_ frame: PeerFrame) {
    lastUsed = runner.clock.now
    guard let connection, connection.isOpen else {
      connect()
      return wait(frame)
    }
    let (kind, payload) = frame.encoded
    connection.send(kind: kind.rawValue, payload: payload)
  }

  private func wait(_ frame: PeerFrame) {
    switch frame {
    case .request, .snapshotChunk:
      // With no room it is as if the connection had ended: who waits is told at once instead of at its deadline.
      guard waiting.count < PeerLink.mostWaiting else { return tellOfLoss() }
      waiting.append(frame.encoded)
    case .response, .batch, .snapshotCredit: break
    }
  }

  private func tellOfLoss() {
    switch way {
    case .urgent, .messages: runner.lostTouch(with: peer)
    case .states: runner.lostStates(to: peer)
    }
  }

  private func connect() {
    guard !isConnecting, connection == nil, runner.clock.now >= retryAt, !runner.isStopping else { return }
    isConnecting = true
    Dialer.connect(
      host: address.host, port: address.port, context: runner.clientContext, expected: peer, resuming: resumption,
      on: runner.loop, receiver: self, logger: runner.logger
    ) { [self] error in
      failed("\(error)")
      if error == .tls(.revoked(.own)) { runner.wasTurnedAway(by: peer) }
    }
  }

  private func failed(_ reason: String) {
    isConnecting = false
    connection = nil
    guard !isRetired else { return }
    failures += 1
    let pause = min(PeerLink.longestPauseMilliseconds, 20 << UInt64(min(failures, 6)))
    retryAt = runner.clock.now.advanced(milliseconds: pause)
    if reason != failure { runner.logger.warning("no connection to node \(peer) at \(address): \(reason)") }
    failure = reason
    waiting.removeAll()
    tellOfLoss()
  }

  /// Whether it has had nothing to carry for so long that it is not worth keeping.
  var isIdle: Bool {
    way == .states && waiting.isEmpty && runner.clock.now.milliseconds(since: lastUsed) > PeerLink.idleMilliseconds
  }

  /// Tries again if there is no connection: peers should find each other without waiting for something to say.
  func tick() {
    if failures > 0, connection != nil, runner.clock.now.milliseconds(since: openSince) > PeerLink.proofMilliseconds {
      runner.logger.info("connected to node \(peer) at \(address) again")
      failures = 0
      failure = nil
    }
    if connection == nil, way != .states || !waiting.isEmpty { connect() }
    if !isResumable, let connection, let fresh = connection.resumption { (resumption, isResumable) = (fresh, true) }
  }

  func close() { connection?.close() }

  /// Ends the connection, which nothing is under way on.
  func retire() {
    isRetired = true
    close()
  }

  /// Closes the connection if the peer's certificate is revoked.
  func closeIfRevoked(_ revocations: Revocations) {
    if let connection, revocations.contains(connection.peerSerial) { connection.close() }
  }

  /// Whether so much waits here that more had better wait elsewhere.
  var isBusy: Bool { connection?.isBusy ?? false }

  /// Whether a frame sent now is on its way at once.
  var isOpen: Bool { connection?.isOpen ?? false }

  /// Sends what was gathered.
  func flush() { connection?.flush() }

  // MARK: FrameReceiver

  func connected(_ connection: FramedConnection) {
    isResumable = false
    isConnecting = false
    guard !isRetired else { return connection.close() }
    openSince = runner.clock.now
    self.connection = connection
    // All that a turn has for the node leaves together, when the node has been pumped.
    connection.flushesItself = false
    for frame in waiting { connection.send(kind: frame.kind.rawValue, payload: frame.payload) }
    waiting.removeAll()
    connection.flush()
  }

  func received(_ kind: UInt8, _ payload: UnsafeRawBufferPointer, on connection: FramedConnection) {
    // SAFETY: the payload is lent for this call; a decoded message holds copies.
    guard FrameKind(rawValue: kind) == .response, let response = WireResponse(untrusted: payload) else {
      runner.logger.warning("node \(peer) answered with a malformed frame of kind \(kind); the connection is closed")
      return connection.close()
    }
    runner.node.receive(.response(response), from: peer)
  }

  func drained(_ connection: FramedConnection) { runner.schedulePump() }

  func readComplete(on connection: FramedConnection) { runner.schedulePump() }

  func disconnected(_ connection: FramedConnection, reason: String) {
    failed(reason)
    if connection.isRevoked { runner.wasTurnedAway(by: peer) }
  }
}

extension PeerFrame {
  /// The frame's kind and payload on the wire.
  var encoded: (FrameKind, [UInt8]) {
    switch self {
    case .request(let request): (.request, request.encoded)
    case .response(let response): (.response, response.encoded)
    case .batch(let batch): (.peerBatch, batch.encoded)
    case .snapshotChunk(let chunk): (.snapshotChunk, chunk.encoded)
    case .snapshotCredit(let credit): (.snapshotCredit, credit.encoded)
    }
  }
}
