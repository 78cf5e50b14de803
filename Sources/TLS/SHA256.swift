/// SHA-256 (FIPS 180-4), by the system's libcrypto.
public enum SHA256 {
  /// The 32 bytes of a message's digest.
  public static func digest(_ bytes: [UInt8]) throws(TLSError) -> [UInt8] { try OpenSSL.sha256(bytes) }
}

extension SigningRequest {
  /// The public key in DER form (SubjectPublicKeyInfo), after the request's signature was checked with it.
  public func publicKeyDER() throws(TLSError) -> [UInt8] { try PublicKey.der(of: try verifiedKey()) }
}
