import COpenSSL

/// SHA-256 (FIPS 180-4) of a message that comes in parts, by the system's libcrypto. For one thread at a time.
public final class SHA256 {
  /// The bytes of a digest.
  public static let digestBytes = 32

  /// nil once the library has refused.
  private var context: OpaquePointer?

  /// The digest of an empty message, to which parts are added.
  public init() {
    context = EVP_MD_CTX_new()
    if let context, EVP_DigestInit_ex(context, EVP_sha256(), nil) != 1 { refuse() }
  }

  deinit {
    EVP_MD_CTX_free(context)
  }

  private func refuse() {
    EVP_MD_CTX_free(context)
    context = nil
  }

  /// Adds a part.
  public func update(_ bytes: UnsafeRawBufferPointer) {
    // SAFETY: the library reads `count` bytes from the buffer and keeps none of it.
    if let context, EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) != 1 { refuse() }
  }

  /// The digest of all parts, or nil where the library had no memory for it. Nothing may be added afterwards.
  public func finish() -> [UInt8]? {
    guard let context else { return nil }
    var digest = [UInt8](repeating: 0, count: Self.digestBytes)
    let isDone = EVP_DigestFinal_ex(context, &digest, nil) == 1
    refuse()
    return isDone ? digest : nil
  }
}
