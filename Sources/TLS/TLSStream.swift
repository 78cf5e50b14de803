internal import Glibc

/// A TLS session on a socket of its own. Nothing in it waits, except the handshake.
struct TLSStream: ~Copyable {
  let socket: Socket
  let session: TLSSession
  private var scratch = [UInt8](repeating: 0, count: TLSStream.scratchBytes)
  /// Ciphertext on its way.
  private var outgoing = ByteQueue()

  /// The most ciphertext that is read, and plaintext that is decrypted, at a time.
  private static let scratchBytes = 65_536

  init(socket: consuming Socket, session: TLSSession) {
    self.socket = socket
    self.session = session
  }

  /// Shakes hands. Plaintext that came with the server's last message is appended.
  mutating func shakeHands(into inbox: inout ByteQueue, until deadline: Deadline) throws(ConnectionError) {
    while true {
      do throws(TLSError) {
        if try session.handshake() { break }
      } catch {
        throw .tls(error)
      }
      try sendAll(until: deadline)
      guard socket.wait(for: POLLIN, until: deadline) != 0 else {
        throw .timeout(.handshake, milliseconds: deadline.milliseconds, sent: 0)
      }
      if case .failed(let why) = receive(into: &inbox) {
        // The alert that tells the server why; it may be gone already.
        _ = send()
        throw .tls(why.tlsError ?? .closedDuringHandshake)
      }
    }
    try sendAll(until: deadline)
  }

  private mutating func sendAll(until deadline: Deadline) throws(ConnectionError) {
    while true {
      switch send() {
      case .progress: return
      case .failed: throw .tls(.closedDuringHandshake)
      case .wouldBlock:
        guard socket.wait(for: POLLOUT, until: deadline) != 0 else {
          throw .timeout(.handshake, milliseconds: deadline.milliseconds, sent: 0)
        }
      }
    }
  }

  /// Why a stream is over.
  enum End {
    case tls(TLSError)
    case system(Int32)
    /// The peer said farewell.
    case farewell

    var tlsError: TLSError? {
      switch self {
      case .tls(let error): error
      case .system: nil
      case .farewell: .closedDuringHandshake
      }
    }
  }

  enum Step {
    case progress
    case wouldBlock
    case failed(End)
  }

  /// Whether encrypted bytes wait for the kernel.
  var hasOutgoing: Bool { outgoing.count > 0 || session.pendingOutput > 0 }

  /// Encrypts bytes for `send`.
  ///
  /// SAFETY: the plaintext is lent for the call; TLS copies what it keeps.
  mutating func encrypt(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
    takeOutput()
    try outgoing.append(room: TLSSession.ciphertextBytes(for: plaintext.count)) { (room) throws(TLSError) in
      try session.write(plaintext, into: room)
    }
  }

  /// Appends what TLS has to say by itself.
  private mutating func takeOutput() {
    let count = session.pendingOutput
    if count > 0 { outgoing.append(room: count) { session.takeOutput(into: $0) } }
  }

  /// Gives the kernel as much as it takes; `progress` once nothing is left.
  mutating func send() -> Step {
    takeOutput()
    while outgoing.count > 0 {
      switch outgoing.withBytes({ socket.send($0) }) {
      case .bytes(let count): outgoing.drop(count)
      case .wouldBlock: return .wouldBlock
      case .failed(let code): return .failed(.system(code))
      }
    }
    return .progress
  }

  /// Reads once from the kernel and appends the plaintext. During the handshake it carries that on instead.
  mutating func receive(into inbox: inout ByteQueue) -> Step {
    switch scratch.withUnsafeMutableBytes({ socket.receive(into: $0) }) {
    case .wouldBlock: return .wouldBlock
    case .failed(let code): return .failed(.system(code))
    case .bytes(0): return .failed(session.inputEnded().map { .tls($0) } ?? .farewell)
    case .bytes(let count): return decrypt(count, into: &inbox)
    }
  }

  private func decrypt(_ count: Int, into inbox: inout ByteQueue) -> Step {
    do throws(TLSError) {
      // SAFETY: `receive` has just filled the first `count` bytes of the scratch buffer; the session reads them within
      // the closure alone.
      let ended = try scratch.withUnsafeBufferPointer { (bytes) throws(TLSError) in
        let input = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<count]))
        return try session.withInput(input) { () throws(TLSError) in
          guard try session.handshake() else { return false }
          return try readAll(into: &inbox)
        }
      }
      return ended ? .failed(.farewell) : .progress
    } catch {
      return .failed(.tls(error))
    }
  }

  /// Appends all plaintext that there is; true at the peer's farewell.
  private func readAll(into inbox: inout ByteQueue) throws(TLSError) -> Bool {
    var progress = TLSSession.Progress.wantsInput
    repeat {
      // Room for the plaintext of one record (RFC 8446 §5.1).
      try inbox.append(room: 16_384) { (room) throws(TLSError) in
        progress = try session.read(into: room)
        if case .bytes(let count) = progress { return count }
        return 0
      }
    } while progress.isBytes && session.hasInput
    return progress == .end
  }
}
