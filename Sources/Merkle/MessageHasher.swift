import COpenSSL

/// SHA-256 (FIPS 180-4) of short messages that come in parts, by the system's libcrypto. For one thread at a time.
///
/// One context serves all messages, which costs half of what a new one for each would; and the parts of a message are put
/// side by side first, since the library takes longer over several short ones.
final class MessageHasher {
  /// What is put side by side; a longer message goes to the library in pieces.
  private static let gathered = 1 << 10

  private let context: OpaquePointer?
  // SAFETY: owned, and `count` bytes of it are initialized; every addition looks for room first.
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: gathered, alignment: 64)
  private var count = 0
  /// Whether the library has done all that it was asked for. It may lack memory; then no digest from there on is one.
  private(set) var isSound: Bool

  init() {
    context = EVP_MD_CTX_new()
    isSound = context != nil && EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
  }

  deinit {
    EVP_MD_CTX_free(context)
    buffer.deallocate()
  }

  /// Begins a message.
  @inline(__always)
  func begin() {
    count = 0
    isSound = isSound && EVP_DigestInit_ex(context, nil, nil) == 1
  }

  /// Adds bytes to the message.
  @inline(__always)
  func add(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= Self.gathered - count else { return addLong(bytes) }
    guard let source = bytes.baseAddress else { return }
    (buffer.baseAddress.unsafelyUnwrapped + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }

  /// Adds a number's bytes, the lowest first.
  @inline(__always)
  func add(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { add($0) }
  }

  private func addLong(_ bytes: UnsafeRawBufferPointer) {
    hand(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    count = 0
    hand(bytes)
  }

  private func hand(_ bytes: UnsafeRawBufferPointer) {
    // SAFETY: the library reads the given number of bytes, and keeps none.
    isSound = isSound && EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
  }

  /// Ends the message, and writes its digest, 32 bytes.
  @inline(__always)
  func finish(into digest: UnsafeMutableRawBufferPointer) {
    precondition(digest.count == SHA256.digestBytes)
    hand(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    // SAFETY: the library writes the 32 bytes for which there is room.
    isSound = isSound && EVP_DigestFinal_ex(context, digest.baseAddress, nil) == 1
  }
}
