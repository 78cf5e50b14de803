internal import COpenSSL

/// The library as a whole: its start, its error queue, memory that it hands over.
enum OpenSSL {
  /// Starts libssl without reading a configuration file of the host, and to be left as it is when the process ends.
  /// Costs nothing after the first time.
  static let start: Void = {
    let flags = UInt64(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT)
    // A failure shows in the first call that needs the library.
    _ = OPENSSL_init_ssl(flags, nil)
  }()

  /// The reason number of the latest error in this thread's queue, 0 if there is none.
  static var latestReason: Int32 {
    let code = ERR_peek_last_error()
    return ERR_GET_REASON(code)
  }

  /// Empties this thread's error queue before a call whose outcome is read from it. It is all but always empty, and to
  /// look is cheaper than to clear its sixteen places, twice for each request.
  static func forgetErrors() {
    if ERR_peek_error() != 0 { ERR_clear_error() }
  }

  /// The latest error of this thread's queue in words; empties the queue.
  static func latestError() -> String {
    let code = ERR_peek_last_error()
    defer { ERR_clear_error() }
    guard code != 0 else { return "no reason given" }
    var text = [CChar](repeating: 0, count: 256)
    // SAFETY: writes at most the given number of bytes, a terminating zero among them.
    ERR_error_string_n(code, &text, text.count)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// An error of this host with what was tried and the library's reason.
  static func failure(_ what: String) -> TLSError {
    .internal("\(what): \(latestError())")
  }

  /// The pointer that a constructor of the library gave, or an error where it gave none.
  static func made(_ pointer: OpaquePointer?, _ what: String) throws(TLSError) -> OpaquePointer {
    guard let pointer else { throw failure(what) }
    return pointer
  }

  /// Refuses a return value other than 1, the library's word for success.
  static func check(_ result: Int32, _ what: String) throws(TLSError) {
    guard result == 1 else { throw failure(what) }
  }

  /// The DER form that one of the library's `i2d` functions writes; nil where it fails.
  static func der(_ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8]? {
    let count = encode(nil)
    guard count > 0 else { return nil }
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
      // SAFETY: the function writes exactly the `count` bytes that it announced, and moves the cursor behind them.
      var cursor = buffer.baseAddress
      failed = encode(&cursor) != count
      initialized = failed ? 0 : Int(count)
    }
    return failed ? nil : bytes
  }

  /// What one of the library's `d2i` functions reads from bytes; nil unless it takes exactly all of them.
  static func fromDER<Result>(
    _ bytes: [UInt8], _ decode: (UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> Result?
  ) -> (value: Result, complete: Bool)? {
    bytes.withUnsafeBufferPointer { buffer in
      // SAFETY: the function reads within the given count from the cursor, which it moves behind what it took.
      var cursor = buffer.baseAddress
      guard buffer.count > 0, let value = decode(&cursor, buffer.count) else { return nil }
      return (value, cursor == buffer.baseAddress.map { $0 + buffer.count })
    }
  }

  /// The SHA-256 of bytes.
  static func sha256(_ bytes: [UInt8]) throws(TLSError) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    // SAFETY: reads `bytes.count` bytes and writes 32.
    try check(EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil), "SHA-256")
    return digest
  }

  /// Random bytes from the library's generator.
  static func random(_ count: Int) throws(TLSError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: writes `count` bytes.
    try check(RAND_bytes(&bytes, Int32(count)), "randomness")
    return bytes
  }
}
