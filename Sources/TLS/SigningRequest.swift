internal import COpenSSL

/// A certificate signing request (PKCS #10, RFC 2986): proof that its sender holds the key whose public half it
/// carries. Nothing else in it is used: who the holder is comes from the signer.
///
/// SAFETY: `@unchecked Sendable`: the X509_REQ is never changed after `init`.
public final class SigningRequest: @unchecked Sendable {
  let pointer: OpaquePointer

  private init(owning pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit {
    X509_REQ_free(pointer)
  }

  /// A request for a key, signed with it.
  public convenience init(key: PrivateKey) throws(TLSError) {
    ERR_clear_error()
    self.init(owning: try OpenSSL.made(X509_REQ_new(), "a signing request"))
    try OpenSSL.check(X509_REQ_set_version(pointer, 0), "a signing request's version")
    try OpenSSL.check(X509_REQ_set_pubkey(pointer, key.pointer), "a signing request's key")
    guard X509_REQ_sign(pointer, key.pointer, EVP_sha256()) > 0 else {
      throw OpenSSL.failure("signing a request")
    }
  }

  /// Reads exactly one request from its DER form and checks its signature.
  public convenience init(der: [UInt8]) throws(TLSError) {
    _ = OpenSSL.start
    ERR_clear_error()
    guard let (request, complete) = OpenSSL.fromDER(der, { d2i_X509_REQ(nil, $0, $1) }) else {
      throw .malformed("a signing request in DER form: \(OpenSSL.latestError())")
    }
    self.init(owning: request)
    guard complete else { throw .malformed("a signing request in DER form: bytes follow it") }
    _ = try verifiedKey()
  }

  /// The DER form.
  public var der: [UInt8] { OpenSSL.der { i2d_X509_REQ(self.pointer, $0) } ?? [] }

  /// The public key, after the request's signature was checked with it. It lives as long as the request.
  func verifiedKey() throws(TLSError) -> OpaquePointer {
    ERR_clear_error()
    guard let key = X509_REQ_get0_pubkey(pointer), PublicKey.isP256(key) else {
      throw .malformed("a signing request: its key is not an ECDSA P-256 key")
    }
    guard X509_REQ_verify(pointer, key) == 1 else {
      throw .malformed("a signing request: its signature is not that of its key")
    }
    return key
  }
}
