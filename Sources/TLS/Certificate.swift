internal import COpenSSL
internal import Glibc

/// An X.509 certificate: a node's, a client's, or a cluster's CA.
///
/// Reading one checks its form only. Whether it may be believed is for the handshake to say (`PeerCheck`).
///
/// SAFETY: `@unchecked Sendable`: the X509 is never changed after `init`, libcrypto's own caches in it are locked,
/// and its reference count is atomic.
public final class Certificate: @unchecked Sendable {
  let pointer: OpaquePointer
  /// When the certificate becomes valid and ceases to be.
  public let validity: Validity
  /// The serial number, big-endian, without leading zeros.
  public let serial: [UInt8]
  /// The node or client that it names; nil for a CA's and for certificates that this program did not make.
  public let identity: PeerIdentity?

  private init(owning pointer: OpaquePointer, validity: Validity) {
    self.pointer = pointer
    self.validity = validity
    serial = Certificate.serial(of: pointer)
    identity = Certificate.identity(of: pointer)
  }

  deinit {
    X509_free(pointer)
  }

  /// Reads exactly one certificate from its DER form.
  public convenience init(der: [UInt8]) throws(TLSError) {
    _ = OpenSSL.start
    ERR_clear_error()
    guard let (certificate, complete) = OpenSSL.fromDER(der, { d2i_X509(nil, $0, $1) }) else {
      throw .malformed("a certificate in DER form: \(OpenSSL.latestError())")
    }
    guard complete else {
      X509_free(certificate)
      throw .malformed("a certificate in DER form: bytes follow it")
    }
    try self.init(owning: certificate)
  }

  /// Takes over a certificate of the library, and frees it where it can't be used.
  convenience init(owning pointer: OpaquePointer) throws(TLSError) {
    guard let from = Certificate.seconds(X509_get0_notBefore(pointer)),
      let until = Certificate.seconds(X509_get0_notAfter(pointer))
    else {
      X509_free(pointer)
      throw .malformed("a certificate's validity")
    }
    self.init(owning: pointer, validity: Validity(notBefore: from, notAfter: until))
  }

  /// Shares a certificate that the library owns.
  convenience init(retaining pointer: OpaquePointer) throws(TLSError) {
    try OpenSSL.check(X509_up_ref(pointer), "a reference to a certificate")
    try self.init(owning: pointer)
  }

  /// The DER form.
  public var der: [UInt8] { OpenSSL.der { i2d_X509(self.pointer, $0) } ?? [] }

  /// The SHA-256 of the DER form: of a CA, what a token pins.
  public func sha256() throws(TLSError) -> [UInt8] { try OpenSSL.sha256(der) }

  /// The public key in DER form (SubjectPublicKeyInfo): what a box is sealed to.
  public func publicKeyDER() throws(TLSError) -> [UInt8] {
    ERR_clear_error()
    return try PublicKey.der(of: try OpenSSL.made(X509_get0_pubkey(pointer), "a certificate's public key"))
  }

  /// The cluster whose CA this is, from the subject's common name; nil where it is no CA.
  public var authorityOf: String? {
    guard X509_check_ca(pointer) == 1, let name = X509_get_subject_name(pointer) else { return nil }
    let at = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
    guard at >= 0, let text = Certificate.ascii(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))),
      PeerIdentity.isName(text)
    else { return nil }
    return text
  }
}

extension Certificate {
  /// The serial number of an X509, big-endian, without leading zeros.
  static func serial(of pointer: OpaquePointer) -> [UInt8] {
    guard let integer = X509_get0_serialNumber(pointer) else { return [] }
    let count = Int(ASN1_STRING_length(integer))
    // SAFETY: the string lives as long as the certificate; it is copied at once.
    return Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(integer), count: count))
  }

  /// The identity in an X509: its one subject alternative name, which is a URI of this program's form.
  static func identity(of pointer: OpaquePointer) -> PeerIdentity? {
    // SAFETY: for this number the function gives GENERAL_NAMES, which are freed below and copied from before.
    guard let raw = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) else { return nil }
    let names = OpaquePointer(raw)
    defer { GENERAL_NAMES_free(names) }
    guard kv_general_names_count(names) == 1, let name = kv_general_names_at(names, 0),
      let text = ascii(kv_general_name_uri(name))
    else { return nil }
    return PeerIdentity(uri: text)
  }

  /// The text of a string of the library that has printable ASCII characters only.
  private static func ascii(_ string: UnsafePointer<ASN1_STRING>?) -> String? {
    guard let string, let start = ASN1_STRING_get0_data(string) else { return nil }
    // SAFETY: the string owns this many bytes and outlives the call; they are copied at once.
    let bytes = Array(UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(string))))
    return bytes.allSatisfy { (0x20..<0x7f).contains($0) } ? String(decoding: bytes, as: UTF8.self) : nil
  }

  /// A time of the library in seconds since 1970.
  private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
    var parts = tm()
    guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
    return Int64(timegm(&parts))
  }
}

extension Certificate: Equatable {
  public static func == (left: Certificate, right: Certificate) -> Bool {
    X509_cmp(left.pointer, right.pointer) == 0
  }
}
