internal import COpenSSL

/// An ECDSA P-256 private key. libcrypto wipes its memory when the last reference goes.
///
/// SAFETY: `@unchecked Sendable`: the EVP_PKEY is never changed after `init`, libcrypto's own caches in it are
/// locked, and its reference count is atomic.
public final class PrivateKey: @unchecked Sendable {
  let pointer: OpaquePointer

  private init(owning pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit {
    EVP_PKEY_free(pointer)
  }

  /// A new random key.
  public static func generate() throws(TLSError) -> PrivateKey {
    _ = OpenSSL.start
    ERR_clear_error()
    return PrivateKey(owning: try OpenSSL.made(kv_p256_generate(), "generating a key"))
  }

  /// Reads a key from its DER form (RFC 5915, or PKCS #8); any other than a P-256 key is refused.
  public convenience init(der: [UInt8]) throws(TLSError) {
    _ = OpenSSL.start
    ERR_clear_error()
    let read = OpenSSL.fromDER(der) { d2i_AutoPrivateKey(nil, $0, $1) }
    guard let (key, complete) = read else {
      throw .malformed("a private key in DER form: \(OpenSSL.latestError())")
    }
    guard complete, PublicKey.isP256(key) else {
      EVP_PKEY_free(key)
      throw .malformed("a private key in DER form: not exactly one ECDSA P-256 key")
    }
    self.init(owning: key)
  }

  /// Refuses a certificate of another key.
  public func check(isOf certificate: Certificate) throws(TLSError) {
    guard X509_check_private_key(certificate.pointer, pointer) == 1 else {
      ERR_clear_error()
      throw .invalid("a certificate with a key that is not its own")
    }
  }

  /// Lends the key's DER form (RFC 5915), which is wiped afterwards.
  public func withDER<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    ERR_clear_error()
    guard var bytes = OpenSSL.der({ i2d_PrivateKey(self.pointer, $0) }) else {
      throw OpenSSL.failure("encoding a key")
    }
    // SAFETY: the array is ours alone; its bytes are overwritten in place before it is freed.
    defer { bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
    return try bytes.withUnsafeBytes(body)
  }

  /// The key's DER form (RFC 5915). The caller keeps it secret and short-lived.
  public func der() throws(TLSError) -> [UInt8] {
    ERR_clear_error()
    guard let bytes = OpenSSL.der({ i2d_PrivateKey(self.pointer, $0) }) else {
      throw OpenSSL.failure("encoding a key")
    }
    return bytes
  }

  /// Signs a message: ECDSA with SHA-256, in DER form.
  public func sign(_ message: [UInt8]) throws(TLSError) -> [UInt8] { try Signature.make(message, with: pointer) }

  /// The public half in DER form (SubjectPublicKeyInfo, RFC 5280): what a box is sealed to.
  public func publicKeyDER() throws(TLSError) -> [UInt8] {
    try PublicKey.der(of: pointer)
  }
}

/// What is done with public keys alone.
enum PublicKey {
  /// Whether a key is an elliptic curve key on P-256.
  static func isP256(_ key: OpaquePointer) -> Bool {
    guard EVP_PKEY_get_base_id(key) == EVP_PKEY_EC else { return false }
    var name = [CChar](repeating: 0, count: 32)
    var count = 0
    // SAFETY: writes at most 32 bytes, a terminating zero among them.
    guard EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1 else { return false }
    return count == 10 && "prime256v1".utf8.elementsEqual(name.prefix(count).map { UInt8(bitPattern: $0) })
  }

  /// The DER form (SubjectPublicKeyInfo) of a key's public half.
  static func der(of key: OpaquePointer) throws(TLSError) -> [UInt8] {
    ERR_clear_error()
    guard let bytes = OpenSSL.der({ i2d_PUBKEY(key, $0) }) else { throw OpenSSL.failure("encoding a public key") }
    return bytes
  }

  /// Reads a P-256 public key from its DER form. The caller frees it.
  static func make(der: [UInt8]) throws(TLSError) -> OpaquePointer {
    _ = OpenSSL.start
    ERR_clear_error()
    guard let (key, complete) = OpenSSL.fromDER(der, { d2i_PUBKEY(nil, $0, $1) }) else {
      throw .malformed("a public key in DER form: \(OpenSSL.latestError())")
    }
    guard complete, isP256(key) else {
      EVP_PKEY_free(key)
      throw .malformed("a public key in DER form: not exactly one ECDSA P-256 key")
    }
    return key
  }
}
