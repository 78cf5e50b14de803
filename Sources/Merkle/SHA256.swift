import COpenSSL

/// SHA-256 (FIPS 180-4) of messages that come in parts, one after the other, by the system's libcrypto. For one thread at
/// a time.
public final class SHA256 {
  /// The bytes of a digest.
  public static let digestBytes = 32

  // SAFETY: owned, and made a message's begin before anything else is done with it.
  private let state = UnsafeMutablePointer<kv_sha256>.allocate(capacity: 1)

  /// The digest of an empty message, to which parts are added.
  public init() { begin() }

  deinit { state.deallocate() }

  /// Begins a message anew.
  @inline(__always)
  func begin() { kv_sha256_begin(state) }

  /// Adds a part.
  @inline(__always)
  public func update(_ bytes: UnsafeRawBufferPointer) {
    // SAFETY: the library reads `count` bytes from the buffer and keeps none of it.
    if let start = bytes.baseAddress { kv_sha256_add(state, start, bytes.count) }
  }

  /// Writes the digest of all parts, 32 bytes. Nothing may be added before the next message begins.
  @inline(__always)
  func finish(into digest: UnsafeMutableRawBufferPointer) {
    precondition(digest.count == Self.digestBytes)
    // SAFETY: the library writes the 32 bytes for which there is room.
    kv_sha256_finish(state, digest.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self))
  }

  /// The digest of all parts. Nothing may be added afterwards.
  public func finish() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.digestBytes) { digest, count in
      finish(into: UnsafeMutableRawBufferPointer(start: digest.baseAddress, count: Self.digestBytes))
      count = Self.digestBytes
    }
  }
}
