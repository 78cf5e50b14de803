public import Bytes
internal import COpenSSL

/// One TLS connection without its socket: ciphertext in, ciphertext out, plaintext in, plaintext out.
///
/// Loop-confined: used by one thread at a time. Input is lent for the length of a call and taken whole; output goes to
/// memory that the caller lends, or waits inside until it is taken. After an error the session is over, but
/// `takeOutput` may still hold the alert that tells the peer why.
public final class TLSSession {
  /// What the two sides agreed to speak (ALPN).
  public enum Kind: Sendable {
    /// `kv/1`: both sides have shown a certificate.
    case member
    /// `kv-join/1`: a joiner without one.
    case enrolment

    var alpn: [UInt8] {
      switch self {
      case .member: Kind.memberName
      case .enrolment: Kind.enrolmentName
      }
    }
    private static let memberName = Array("kv/1".utf8)
    private static let enrolmentName = Array("kv-join/1".utf8)
  }

  /// What a read gave.
  public enum Progress: Equatable, Sendable {
    /// This many bytes of plaintext, at least one.
    case bytes(Int)
    /// Nothing before more ciphertext arrives.
    case wantsInput
    /// The peer has said farewell (close_notify); nothing follows.
    case end

    /// Whether it gave plaintext: there may be more.
    public var isBytes: Bool { if case .bytes = self { true } else { false } }
  }

  enum State {
    case handshaking
    case established
    /// close_notify came; what is written may still leave.
    case ended
    case failed(TLSError)
  }

  /// Where an SSL keeps its session.
  static let selfIndex: Int32 = {
    _ = OpenSSL.start
    return kv_ssl_new_ex_index()
  }()

  let ssl: OpaquePointer
  let check: PeerCheck
  private let io: UnsafeMutablePointer<kv_lent_io>
  var state = State.handshaking
  /// Why a callback of libssl refuses the peer.
  var refusal: TLSError?
  private var sawFirstBytes = false
  private var saidFarewell = false
  private var writtenWithKey = 0
  /// After so many bytes this side takes a new key: well before the 2^24.5 full records after which AES-GCM wears out
  /// (RFC 8446 §5.5).
  var keyLifetime = 1 << 36

  /// What was agreed; `member` before the handshake is done.
  public internal(set) var kind = Kind.member
  /// Who the peer is; nil before the handshake is done, and for a joiner.
  public internal(set) var peer: PeerIdentity?
  /// The serial number of the peer's certificate; empty where there is none.
  public internal(set) var peerSerial: [UInt8] = []
  /// Whether an earlier session was resumed.
  public internal(set) var isResumed = false

  private init(context: TLSContext, expected: NodeID?) throws(TLSError) {
    ERR_clear_error()
    let ssl = try OpenSSL.made(SSL_new(context.pointer), "a TLS connection")
    guard let bio = kv_lent_bio_new(), let io = kv_lent_bio_io(bio) else {
      SSL_free(ssl)
      throw OpenSSL.failure("a BIO")
    }
    // SAFETY: the SSL owns the BIO from here on, and the BIO owns `io`: both live until `deinit`.
    SSL_set_bio(ssl, bio, bio)
    self.ssl = ssl
    self.io = io
    check = PeerCheck(context: context, expected: expected)
    // SAFETY: the SSL dies in `deinit`, before this object's memory does.
    SSL_set_ex_data(ssl, TLSSession.selfIndex, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    SSL_free(ssl)
  }

  /// The server's side of a connection that arrived.
  public convenience init(server context: TLSContext) throws(TLSError) {
    precondition(context.isServer)
    try self.init(context: context, expected: nil)
    SSL_set_accept_state(ssl)
  }

  /// The client's side. With `expected`, a server that is another node is refused. `resuming` is what `resumption` gave
  /// earlier; where it can't be used the handshake is a full one.
  public convenience init(
    client context: TLSContext, expected: NodeID? = nil, resuming: [UInt8]? = nil
  ) throws(TLSError) {
    precondition(!context.isServer)
    try self.init(context: context, expected: expected)
    SSL_set_connect_state(ssl)
    if let resuming { offer(resuming) }
  }

  /// Whether the handshake is done and both directions work.
  public var isEstablished: Bool {
    if case .established = state { return true }
    return false
  }

  /// Lends ciphertext that arrived to the calls made in `body`, which must go on until one of them wants more input,
  /// fails or ends: what they leave of it is lost.
  public func withInput<Result>(
    _ ciphertext: UnsafeRawBufferPointer, _ body: () throws(TLSError) -> Result
  ) throws(TLSError) -> Result {
    if !sawFirstBytes, let first = ciphertext.first {
      sawFirstBytes = true
      // A record begins with its type, here handshake or alert, and the major version 3 (RFC 8446 §5.1).
      if (first != 0x16 && first != 0x15) || ciphertext.count > 1 && ciphertext[1] != 3 {
        let error = TLSError.notTLS(found: Escaping.text(Array(ciphertext.prefix(16))))
        state = .failed(error)
        throw error
      }
    }
    // SAFETY: the pointer is used only until the end of this function, during which the caller keeps the buffer.
    io.pointee.input = ciphertext.baseAddress?.assumingMemoryBound(to: UInt8.self)
    io.pointee.input_count = ciphertext.count
    defer {
      io.pointee.input = nil
      io.pointee.input_count = 0
    }
    return try body()
  }

  /// Whether there is input that no read has used yet, lent or kept by libssl. Without any a read can only say
  /// `wantsInput`.
  public var hasInput: Bool { io.pointee.input_count > 0 || SSL_has_pending(ssl) == 1 }

  /// Decrypts into a buffer that is not empty.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSError) -> Progress {
    switch state {
    case .established: break
    case .handshaking: return .wantsInput
    case .ended: return .end
    case .failed(let error): throw error
    }
    OpenSSL.forgetErrors()
    var count = 0
    // SAFETY: writes at most `buffer.count` bytes.
    let result = SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &count)
    if result == 1 { return .bytes(count) }
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ: return .wantsInput
    case SSL_ERROR_ZERO_RETURN:
      state = .ended
      return .end
    default: throw fail(result)
    }
  }

  /// The most ciphertext that a number of plaintext bytes, written at once, becomes: each record of 16 KiB adds a
  /// header of 5 bytes, the inner type and a tag of 16 (RFC 8446 §5.2).
  public static func ciphertextBytes(for plaintextBytes: Int) -> Int {
    plaintextBytes + (plaintextBytes / 16_384 + 1) * 22
  }

  /// Encrypts all of a buffer. Gives the number of ciphertext bytes written to `output`; what finds no room there waits
  /// for `takeOutput`, as does everything while anything waits.
  public func write(
    _ plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(TLSError) -> Int {
    switch state {
    case .established, .ended: break
    case .handshaking: throw .invalid("plaintext before the handshake is done")
    case .failed(let error): throw error
    }
    guard !saidFarewell else { throw .closed }
    OpenSSL.forgetErrors()
    // SAFETY: the pointer is used only until the end of this function, during which the caller keeps the buffer.
    io.pointee.output = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    io.pointee.output_capacity = output.count
    io.pointee.output_count = 0
    defer {
      io.pointee.output = nil
      io.pointee.output_capacity = 0
      io.pointee.output_count = 0
    }
    try renewKey(before: plaintext.count)
    var rest = plaintext
    while let start = rest.baseAddress, !rest.isEmpty {
      var count = 0
      let result = SSL_write_ex(ssl, start, rest.count, &count)
      guard result == 1 else { throw fail(result) }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return io.pointee.output_count
  }

  private func renewKey(before count: Int) throws(TLSError) {
    writtenWithKey += count
    guard writtenWithKey > keyLifetime else { return }
    writtenWithKey = count
    try OpenSSL.check(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), "a key update")
  }

  /// The number of ciphertext bytes that wait for `takeOutput`: handshake messages, alerts, what a write left over.
  public var pendingOutput: Int { io.pointee.spill_count }

  /// Moves waiting ciphertext into a buffer; gives the number of bytes.
  public func takeOutput(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    // SAFETY: copies at most `buffer.count` bytes.
    kv_lent_spill_take(io, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count)
  }

  /// Says farewell (close_notify), once; nothing can be written afterwards.
  public func close() {
    guard !saidFarewell else { return }
    saidFarewell = true
    switch state {
    case .established, .ended:
      ERR_clear_error()
      SSL_shutdown(ssl)
    case .handshaking, .failed: break
    }
  }

  /// What it means that the transport has no more input: nil after the peer's farewell, else an error.
  public func inputEnded() -> TLSError? {
    switch state {
    case .ended: return nil
    case .failed(let error): return error
    case .handshaking:
      state = .failed(.closedDuringHandshake)
      return .closedDuringHandshake
    case .established:
      state = .failed(.truncated)
      return .truncated
    }
  }

  func fail(_ result: Int32) -> TLSError {
    let error = refusal ?? TLSError(libraryResult: result)
    ERR_clear_error()
    state = .failed(error)
    return error
  }
}
