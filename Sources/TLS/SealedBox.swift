internal import COpenSSL

/// Bytes that only the holder of one P-256 key can read: ECDH with a fresh key, HKDF-SHA256 (RFC 5869) over the
/// shared secret with both public keys in the info, AES-256-GCM under a zero nonce, since each key seals one box.
///
/// Layout: version u8 = 1, ephemeral public key (65 bytes, uncompressed point), ciphertext, tag (16 bytes).
public enum SealedBox {
  private static let version: UInt8 = 1
  private static let pointBytes = 65
  private static let tagBytes = 16
  private static let label = Array("kv sealed box 1".utf8)

  /// The bytes that a box has beyond its plaintext.
  public static let overheadBytes = 1 + pointBytes + tagBytes

  /// Seals bytes to a public key in DER form (SubjectPublicKeyInfo).
  public static func seal(_ plaintext: [UInt8], to publicKeyDER: [UInt8]) throws(TLSError) -> [UInt8] {
    let recipient = try PublicKey.make(der: publicKeyDER)
    defer { EVP_PKEY_free(recipient) }
    let ephemeral = try PrivateKey.generate()
    let point = try encodedPoint(of: ephemeral.pointer)
    var key = try boxKey(own: ephemeral.pointer, other: recipient, ephemeral: point, recipient: recipient)
    defer { wipe(&key) }
    let header = [version] + point
    return header + (try encrypt(plaintext, key: key, authenticating: header))
  }

  /// Opens a box that was sealed to a key. A box that was changed in any bit, or sealed to another key, is refused.
  public static func open(_ box: [UInt8], with key: PrivateKey) throws(TLSError) -> [UInt8] {
    guard box.count >= overheadBytes, box[0] == version else {
      throw .malformed("a sealed box: expected version \(version) and at least \(overheadBytes) bytes")
    }
    let header = Array(box[..<(1 + pointBytes)])
    let point = Array(header[1...])
    let ephemeral = try decodedPoint(point, like: key.pointer)
    defer { EVP_PKEY_free(ephemeral) }
    var secret = try boxKey(own: key.pointer, other: ephemeral, ephemeral: point, recipient: key.pointer)
    defer { wipe(&secret) }
    return try decrypt(Array(box[header.count...]), key: secret, authenticating: header)
  }

  private static func wipe(_ bytes: inout [UInt8]) {
    // SAFETY: the array is overwritten in place, within its count.
    bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
  }

  private static func encodedPoint(of key: OpaquePointer) throws(TLSError) -> [UInt8] {
    var start: UnsafeMutablePointer<UInt8>?
    let count = EVP_PKEY_get1_encoded_public_key(key, &start)
    // SAFETY: the library allocated `count` bytes, which are copied and then freed.
    defer { kv_free(start) }
    guard count == pointBytes, let start else { throw OpenSSL.failure("encoding a public key") }
    return Array(UnsafeBufferPointer(start: start, count: count))
  }

  private static func decodedPoint(_ point: [UInt8], like key: OpaquePointer) throws(TLSError) -> OpaquePointer {
    ERR_clear_error()
    let made = try OpenSSL.made(EVP_PKEY_new(), "a public key")
    guard EVP_PKEY_copy_parameters(made, key) == 1,
      EVP_PKEY_set1_encoded_public_key(made, point, point.count) == 1
    else {
      EVP_PKEY_free(made)
      throw .malformed("a sealed box: its key is no point of the curve")
    }
    return made
  }

  private static func boxKey(
    own: OpaquePointer, other: OpaquePointer, ephemeral: [UInt8], recipient: OpaquePointer
  ) throws(TLSError) -> [UInt8] {
    ERR_clear_error()
    let context = try OpenSSL.made(EVP_PKEY_CTX_new(own, nil), "key agreement")
    defer { EVP_PKEY_CTX_free(context) }
    var shared = [UInt8](repeating: 0, count: 32)
    defer { wipe(&shared) }
    var count = shared.count
    // SAFETY: writes at most `count` bytes; a P-256 secret has 32.
    guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, other) == 1,
      EVP_PKEY_derive(context, &shared, &count) == 1, count == shared.count
    else { throw OpenSSL.failure("key agreement") }
    return try expand(shared, info: label + ephemeral + (try encodedPoint(of: recipient)))
  }

  private static func expand(_ secret: [UInt8], info: [UInt8]) throws(TLSError) -> [UInt8] {
    let context = try OpenSSL.made(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nil), "HKDF")
    defer { EVP_PKEY_CTX_free(context) }
    var key = [UInt8](repeating: 0, count: 32)
    var count = key.count
    // SAFETY: the inputs are read within their counts; at most `count` bytes are written.
    guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) == 1,
      EVP_PKEY_CTX_set1_hkdf_key(context, secret, Int32(secret.count)) == 1,
      EVP_PKEY_CTX_add1_hkdf_info(context, info, Int32(info.count)) == 1,
      EVP_PKEY_derive(context, &key, &count) == 1, count == key.count
    else { throw OpenSSL.failure("HKDF") }
    return key
  }

  private static let nonce = [UInt8](repeating: 0, count: 12)

  private static func encrypt(
    _ plaintext: [UInt8], key: [UInt8], authenticating header: [UInt8]
  ) throws(TLSError) -> [UInt8] {
    guard plaintext.count <= Int32.max - 64 else { throw .invalid("a plaintext of \(plaintext.count) bytes") }
    let context = try OpenSSL.made(EVP_CIPHER_CTX_new(), "AES-256-GCM")
    defer { EVP_CIPHER_CTX_free(context) }
    var out = [UInt8](repeating: 0, count: plaintext.count)
    var tag = [UInt8](repeating: 0, count: tagBytes)
    var count: Int32 = 0
    // SAFETY: GCM writes as many bytes as it reads, into an array of that size; the tag has 16 bytes.
    guard EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1,
      EVP_EncryptUpdate(context, nil, &count, header, Int32(header.count)) == 1,
      EVP_EncryptUpdate(context, &out, &count, plaintext, Int32(plaintext.count)) == 1,
      EVP_EncryptFinal_ex(context, nil, &count) == 1,
      kv_gcm_get_tag(context, Int32(tagBytes), &tag) == 1
    else { throw OpenSSL.failure("AES-256-GCM") }
    return out + tag
  }

  private static func decrypt(
    _ sealed: [UInt8], key: [UInt8], authenticating header: [UInt8]
  ) throws(TLSError) -> [UInt8] {
    guard sealed.count <= Int32.max else { throw .malformed("a sealed box of \(sealed.count) bytes") }
    let context = try OpenSSL.made(EVP_CIPHER_CTX_new(), "AES-256-GCM")
    defer { EVP_CIPHER_CTX_free(context) }
    let textBytes = sealed.count - tagBytes
    var out = [UInt8](repeating: 0, count: textBytes)
    var tag = Array(sealed[textBytes...])
    var count: Int32 = 0
    // SAFETY: GCM writes as many bytes as it reads, into an array of that size; the tag has 16 bytes.
    guard EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1,
      EVP_DecryptUpdate(context, nil, &count, header, Int32(header.count)) == 1,
      EVP_DecryptUpdate(context, &out, &count, sealed, Int32(textBytes)) == 1,
      kv_gcm_set_tag(context, Int32(tagBytes), &tag) == 1
    else { throw OpenSSL.failure("AES-256-GCM") }
    guard EVP_DecryptFinal_ex(context, nil, &count) == 1 else {
      wipe(&out)
      throw .malformed("a sealed box: changed, or sealed to another key")
    }
    return out
  }
}
