internal import COpenSSL

/// ECDSA with SHA-256 over a message (FIPS 186-5), in DER form.
enum Signature {
  /// Signs a message.
  static func make(_ message: [UInt8], with key: OpaquePointer) throws(TLSError) -> [UInt8] {
    ERR_clear_error()
    let context = try OpenSSL.made(EVP_MD_CTX_new(), "a signature")
    defer { EVP_MD_CTX_free(context) }
    var count = 0
    // SAFETY: the library reads the message within its count; without a buffer it gives the most that it would write.
    guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
      EVP_DigestSign(context, nil, &count, message, message.count) == 1
    else { throw OpenSSL.failure("signing") }
    var signature = [UInt8](repeating: 0, count: count)
    guard EVP_DigestSign(context, &signature, &count, message, message.count) == 1 else {
      throw OpenSSL.failure("signing")
    }
    return Array(signature.prefix(count))
  }

  /// Whether a signature of a message was made with a certificate's key.
  static func holds(_ signature: [UInt8], of message: [UInt8], by certificate: OpaquePointer) -> Bool {
    ERR_clear_error()
    guard let key = X509_get0_pubkey(certificate), let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    // SAFETY: both buffers are read within their counts.
    let verdict =
      EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    ERR_clear_error()
    return verdict
  }
}

extension Certificate {
  /// Whether a signature of a message was made with this certificate's key.
  public func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    Signature.holds(signature, of: message, by: pointer)
  }

  /// Whether an authority signed this certificate. Its validity isn't looked at: what was signed while a certificate was
  /// valid stays signed.
  public func isSigned(by authority: Certificate) -> Bool {
    ERR_clear_error()
    defer { ERR_clear_error() }
    guard authority.authorityOf != nil, X509_check_issued(authority.pointer, pointer) == X509_V_OK,
      let key = X509_get0_pubkey(authority.pointer)
    else { return false }
    return X509_verify(pointer, key) == 1
  }
}
