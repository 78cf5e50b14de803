import Bytes
import Logging
import NIOCore
import Node
import TLS
import Transport
import Wire

/// A connection that arrived: a client's, another node's, or a joiner's.
final class InboundSession: FrameReceiver {
  /// SAFETY: the runner lives until its loop ends, and with that every connection.
  private unowned(unsafe) let runner: NodeRunner
  private let caller: Caller
  private let describedPeer: String
  /// Whether the other node has sent anything but parts of states: then this is where it would answer us.
  private var carriesMessages = false

  init(runner: NodeRunner, connection: FramedConnection) {
    self.runner = runner
    switch connection.peer {
    case .node(_, let id)?:
      caller = .node(id)
    case .client(_, _, let role)?:
      caller = .client(canWrite: role != .reader, canAdminister: role == .admin)
    case nil:
      caller = .stranger
    }
    describedPeer = "\(connection.peer.map { "\($0)" } ?? "a joiner") at \(connection.remoteAddress)"
  }

  func connected(_ connection: FramedConnection) {
    runner.logger.debug("connection from \(describedPeer)")
  }

  func received(_ kind: UInt8, _ payload: UnsafeRawBufferPointer, on connection: FramedConnection) {
    runner.requests.receivedBytes += UInt64(payload.count)
    if kind != FrameKind.snapshotChunk.rawValue { carriesMessages = true }
    // SAFETY: the payload is lent for this call; a decoded message holds copies.
    switch (FrameKind(rawValue: kind), caller) {
    case (.request, _):
      guard var request = WireRequest(untrusted: payload) else { return refuse(kind, connection) }
      // Whose certificate is shown, the connection says and not the client.
      if case .reissue = request.body, case .client = caller { request.reissue.serial = .init(connection.peerSerial) }
      serve(request, on: connection)
    case (.response, .node(let sender)):
      guard let response = WireResponse(untrusted: payload) else { return refuse(kind, connection) }
      runner.node.receive(.response(response), from: sender)
    case (.peerBatch, .node(let sender)):
      guard let batch = try? [GroupMessage](untrusted: Array(payload)) else { return refuse(kind, connection) }
      runner.node.receive(.batch(batch), from: sender)
    case (.snapshotChunk, .node(let sender)):
      guard let chunk = WireSnapshotChunk(untrusted: payload) else { return refuse(kind, connection) }
      runner.node.receive(.snapshotChunk(chunk), from: sender)
    case (.snapshotCredit, .node(let sender)):
      guard let credit = WireSnapshotCredit(untrusted: payload) else { return refuse(kind, connection) }
      runner.node.receive(.snapshotCredit(credit), from: sender)
    default:
      refuse(kind, connection)
    }
  }

  private func serve(_ request: WireRequest, on connection: FramedConnection) {
    let id = request.id
    let kind = RequestMeter.Kind(request.body)
    let began = runner.clock.now
    runner.node.handle(request, from: caller) { [runner, caller] body in
      runner.requests.note(kind, nanoseconds: runner.clock.now.rawValue - began.rawValue, body)
      let response = WireResponse.with {
        $0.id = id
        $0.body = body
      }
      if case .node(let peer) = caller { return runner.answer(response, of: peer, on: connection) }
      guard connection.isOpen else { return }
      let payload = response.encoded
      runner.requests.sentBytes += UInt64(payload.count)
      connection.send(kind: FrameKind.response.rawValue, payload: payload)
    }
  }

  private func refuse(_ kind: UInt8, _ connection: FramedConnection) {
    runner.logger.warning("a malformed frame of kind \(kind) from \(describedPeer); the connection is closed")
    connection.close()
  }

  func readComplete(on connection: FramedConnection) { runner.schedulePump() }

  func disconnected(_ connection: FramedConnection, reason: String) {
    runner.logger.debug("connection from \(describedPeer) ended: \(reason)")
    // Answers to what was asked of the node may have been on their way here.
    if carriesMessages, case .node(let peer) = caller { runner.lostTouch(with: peer) }
  }
}
