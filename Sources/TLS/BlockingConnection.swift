public import Bytes
internal import Glibc

/// A blocking client connection over TCP and TLS, for one-shot commands and load generators. It starts fast, waits
/// only up to given times, and is used by one thread at a time.
///
/// SAFETY: `@unchecked Sendable`: the owner may hand it from thread to thread, but never uses it on two at once.
public final class BlockingConnection: @unchecked Sendable {
  private var stream: TLSStream
  /// Who the server is.
  public let peer: PeerIdentity
  /// The plaintext bytes that may have left this host: to be compared before and after a request.
  public private(set) var bytesSent = 0
  /// Plaintext that arrived and was not asked for yet.
  private var inbox = ByteQueue()
  private var hasReceived = false
  private var end: TLSStream.End?
  private var isClosed = false

  /// Bytes are encrypted and given to the kernel in pieces of this size.
  private static let sendPiece = ByteCount.kibibytes(256)
  /// While more than this waits to be asked for, sending takes in no more.
  private static let inboxBytes = ByteCount.mebibytes(16)

  /// Connects and shakes hands. With `expected`, a server that is another node is refused. `resume` is an earlier
  /// connection's `session`; where it can't be used the handshake is a full one. The time is for all of it, except
  /// that the system's resolver may take its own for a name.
  public init(
    host: String, port: Int, context: TLSContext, expected: NodeID? = nil, timeoutMilliseconds: Int,
    resume: [UInt8]? = nil
  ) throws(ConnectionError) {
    let deadline = Deadline(milliseconds: timeoutMilliseconds)
    let socket = try Socket.connect(host: host, port: port, until: deadline)
    do throws(TLSError) {
      let session = try TLSSession(client: context, expected: expected, resuming: resume)
      stream = TLSStream(socket: socket, session: session)
    } catch {
      throw .tls(error)
    }
    try stream.shakeHands(into: &inbox, until: deadline)
    guard let peer = stream.session.peer else { throw .tls(.noIdentity(.peer)) }
    self.peer = peer
  }

  deinit {
    close()
  }

  /// Whether bytes or the end have been received that nobody has asked for yet: then poll(2) would wait in vain.
  public var hasNews: Bool { inbox.count > 0 || end != nil }

  /// The socket, for poll(2) alone: to wait for several connections at once, none of which `hasNews`.
  public var descriptor: Int32 { stream.socket.descriptor }

  /// What resumes this connection's TLS session later: a secret. Nil until the server's first data has arrived.
  public var session: [UInt8]? { stream.session.resumption }

  /// Whether an earlier session was resumed.
  public var isResumed: Bool { stream.session.isResumed }

  /// Sends all of the bytes, or fails with how many of this connection's may have left. Meanwhile it takes in up to
  /// 16 MiB of what the server sends, so that two sides that both send first don't wait for each other.
  public func send(_ bytes: [UInt8], timeoutMilliseconds: Int) throws(ConnectionError) {
    let deadline = Deadline(milliseconds: timeoutMilliseconds)
    guard !isClosed else { throw .broken(why: "\(TLSError.closed)", sent: bytesSent) }
    if let end { throw broken(end) }
    var start = 0
    while start < bytes.count {
      let stop = min(bytes.count, start + BlockingConnection.sendPiece.rawValue)
      let failure: TLSError? = bytes.withUnsafeBytes { all in
        do throws(TLSError) {
          try stream.encrypt(UnsafeRawBufferPointer(rebasing: all[start..<stop]))
          return nil
        } catch {
          return error
        }
      }
      if let failure { throw broken(.tls(failure)) }
      bytesSent += stop - start
      try deliver(until: deadline)
      start = stop
    }
  }

  /// Gives the kernel all that is encrypted.
  private func deliver(until deadline: Deadline) throws(ConnectionError) {
    while true {
      switch stream.send() {
      case .progress: return
      case .failed(let failure):
        // What the server said before it went away tells more than the broken pipe.
        takeIn()
        throw broken(end.flatMap { $0.tlsError == nil ? nil : $0 } ?? failure)
      case .wouldBlock: break
      }
      let mayRead = end == nil && inbox.count < BlockingConnection.inboxBytes.rawValue
      let events = stream.socket.wait(for: mayRead ? POLLOUT | POLLIN : POLLOUT, until: deadline)
      guard events != 0 else {
        throw .timeout(.send, milliseconds: deadline.milliseconds, sent: bytesSent)
      }
      if mayRead, events & POLLIN != 0 { takeIn() }
    }
  }

  /// Reads once from the kernel; false where there was nothing to read.
  @discardableResult
  private func takeIn() -> Bool {
    guard end == nil else { return false }
    let step = stream.receive(into: &inbox)
    if inbox.count > 0 { hasReceived = true }
    if case .failed(let why) = step { end = why }
    if case .wouldBlock = step { return false }
    return true
  }

  /// Waits for exactly so many bytes. The server's farewell before them is an error.
  public func receive(exactly count: Int, timeoutMilliseconds: Int) throws(ConnectionError) -> [UInt8] {
    let deadline = Deadline(milliseconds: timeoutMilliseconds)
    while inbox.count < count {
      guard try waitForInput(until: deadline) else {
        throw .timeout(.receive, milliseconds: deadline.milliseconds, sent: bytesSent)
      }
      if inbox.count < count, let end { throw broken(end) }
    }
    return inbox.take(count)
  }

  /// Waits for bytes and gives what there is, up to a count; nothing at the server's farewell.
  public func receive(atMost count: Int, timeoutMilliseconds: Int) throws(ConnectionError) -> [UInt8] {
    guard try waitForBytes(timeoutMilliseconds) else { return [] }
    return inbox.take(min(count, inbox.count))
  }

  /// Waits for bytes and lends all that there are, which are gone then; false at the server's farewell.
  ///
  /// SAFETY: the bytes are valid for the call of `take` alone.
  public func receive(
    timeoutMilliseconds: Int, _ take: (UnsafeRawBufferPointer) -> Void
  ) throws(ConnectionError) -> Bool {
    guard try waitForBytes(timeoutMilliseconds) else { return false }
    inbox.withBytes(take)
    inbox.drop(inbox.count)
    return true
  }

  /// Waits for at least one byte; false at the server's farewell.
  private func waitForBytes(_ milliseconds: Int) throws(ConnectionError) -> Bool {
    let deadline = Deadline(milliseconds: milliseconds)
    while inbox.count == 0 {
      guard try waitForInput(until: deadline) else {
        throw .timeout(.receive, milliseconds: deadline.milliseconds, sent: bytesSent)
      }
      guard inbox.count == 0, let end else { continue }
      if case .farewell = end { return false }
      throw broken(end)
    }
    return true
  }

  /// Whether `receive(atMost:)` would return or fail at once, waiting for that up to a time.
  public func isReadable(withinMilliseconds milliseconds: Int) throws(ConnectionError) -> Bool {
    let deadline = Deadline(milliseconds: milliseconds)
    while inbox.count == 0 {
      guard try waitForInput(until: deadline) else { return false }
      if end != nil { return true }
    }
    return true
  }

  /// Waits for the socket and reads once; false at the deadline.
  private func waitForInput(until deadline: Deadline) throws(ConnectionError) -> Bool {
    guard !isClosed else { throw .broken(why: "\(TLSError.closed)", sent: bytesSent) }
    guard end == nil else { return true }
    // What is there already needs no waiting for.
    if !takeIn() {
      guard deadline.remaining > 0 else { return false }
      guard stream.socket.wait(for: POLLIN, until: deadline) != 0 else { return false }
      takeIn()
    }
    // Reading may have made TLS answer by itself (a new key); the kernel's buffer is all but never full here.
    if stream.hasOutgoing { _ = stream.send() }
    return true
  }

  private func broken(_ end: TLSStream.End) -> ConnectionError {
    switch end {
    case .tls(let error) where !hasReceived && error.isRefusal: .tls(error)
    case .tls(let error): .broken(why: error.description, sent: bytesSent)
    case .system(let code): .broken(why: Socket.text(code), sent: bytesSent)
    case .farewell: .broken(why: "the peer closed it", sent: bytesSent)
    }
  }

  /// Says farewell and closes. Nothing can be sent or received afterwards.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    stream.session.close()
    _ = stream.send()
    stream.socket.shutDown()
  }
}
