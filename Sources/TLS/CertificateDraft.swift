internal import COpenSSL

/// A certificate that is being written (X.509 version 3, RFC 5280), with a random serial number of 128 bits.
struct CertificateDraft: ~Copyable {
  private let pointer: OpaquePointer

  private init(owning pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit {
    X509_free(pointer)
  }

  /// A draft without names and extensions.
  static func make(validity: Validity, publicKey: OpaquePointer) throws(TLSError) -> CertificateDraft {
    guard validity.notBefore < validity.notAfter else { throw .invalid("a validity that ends before it begins") }
    ERR_clear_error()
    let draft = CertificateDraft(owning: try OpenSSL.made(X509_new(), "a certificate"))
    try draft.set(validity: validity, publicKey: publicKey)
    return draft
  }

  private func set(validity: Validity, publicKey: OpaquePointer) throws(TLSError) {
    try OpenSSL.check(X509_set_version(pointer, 2), "a certificate's version")
    try OpenSSL.check(X509_set_pubkey(pointer, publicKey), "a certificate's key")
    try setSerial(try OpenSSL.random(16))
    guard ASN1_TIME_set(X509_getm_notBefore(pointer), time_t(validity.notBefore)) != nil,
      ASN1_TIME_set(X509_getm_notAfter(pointer), time_t(validity.notAfter)) != nil
    else { throw OpenSSL.failure("a certificate's validity") }
  }

  private func setSerial(_ bytes: [UInt8]) throws(TLSError) {
    // SAFETY: the number is read from the array during the call and freed after it was copied.
    let number = try OpenSSL.made(BN_bin2bn(bytes, Int32(bytes.count), nil), "a serial number")
    defer { BN_free(number) }
    guard BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil else {
      throw OpenSSL.failure("a serial number")
    }
  }

  /// Sets subject and issuer; without an issuer the certificate names itself.
  func setName(_ commonName: String, issuer: Certificate?) throws(TLSError) {
    let name = X509_get_subject_name(pointer)
    let text = Array(commonName.utf8)
    // SAFETY: reads `text.count` bytes during the call.
    try OpenSSL.check(
      X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_FLAG | 0, text, Int32(text.count), -1, 0),
      "a certificate's subject")
    let issuerName = issuer.map { X509_get_subject_name($0.pointer) } ?? name
    try OpenSSL.check(X509_set_issuer_name(pointer, issuerName), "a certificate's issuer")
  }

  /// Adds an extension in OpenSSL's text form, which no outsider's bytes may enter.
  func add(_ number: Int32, _ value: StaticString, issuer: Certificate? = nil) throws(TLSError) {
    try add(number, value.description, issuer: issuer)
  }

  func add(_ number: Int32, _ value: String, issuer: Certificate? = nil) throws(TLSError) {
    let result = kv_x509_add_extension(pointer, issuer?.pointer ?? pointer, number, value)
    try OpenSSL.check(result, "a certificate's extension \(number)")
  }

  /// Adds the one subject alternative name.
  func add(uri: String) throws(TLSError) {
    let text = Array(uri.utf8)
    // SAFETY: each object is owned by the one made after it as soon as it was handed over; what fails is freed.
    let names = try OpenSSL.made(kv_general_names_new(), "a certificate's names")
    defer { GENERAL_NAMES_free(names) }
    guard let name = GENERAL_NAME_new(), let string = ASN1_STRING_type_new(V_ASN1_IA5STRING) else {
      throw OpenSSL.failure("a certificate's name")
    }
    GENERAL_NAME_set0_value(name, GEN_URI, string)
    guard kv_general_names_push(names, name) > 0 else {
      GENERAL_NAME_free(name)
      throw OpenSSL.failure("a certificate's name")
    }
    try OpenSSL.check(ASN1_STRING_set(string, text, Int32(text.count)), "a certificate's name")
    let added = X509_add1_ext_i2d(pointer, NID_subject_alt_name, UnsafeMutableRawPointer(names), 0, 0)
    try OpenSSL.check(added, "a certificate's name")
  }

  /// Signs with the issuer's key (ECDSA with SHA-256). The draft is used up.
  consuming func sign(with key: PrivateKey) throws(TLSError) -> Certificate {
    guard X509_sign(pointer, key.pointer, EVP_sha256()) > 0, X509_up_ref(pointer) == 1 else {
      throw OpenSSL.failure("signing a certificate")
    }
    return try Certificate(owning: pointer)
  }
}
