import COpenSSL

/// Makes the SHA-256 of tree nodes with one context, half the cost of one for each. For one thread at a time.
final class NodeHasher {
  private let context: OpaquePointer?
  private var message: [UInt8] = []

  init() {
    context = EVP_MD_CTX_new()
    if let context { _ = EVP_DigestInit_ex(context, EVP_sha256(), nil) }
  }

  deinit {
    EVP_MD_CTX_free(context)
  }

  /// SHA-256 of a tag and what follows it; nil where the library has no memory.
  func hash(_ tag: UInt8, _ parts: some Sequence<UInt8>) -> [UInt8]? {
    guard let context else { return nil }
    message.removeAll(keepingCapacity: true)
    message.append(tag)
    message.append(contentsOf: parts)
    var digest = [UInt8](repeating: 0, count: SHA256.digestBytes)
    // SAFETY: the library reads the message's bytes, writes 32 to the digest's, and keeps none.
    let isDone =
      EVP_DigestInit_ex(context, nil, nil) == 1
      && message.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) } == 1
      && digest.withUnsafeMutableBufferPointer { EVP_DigestFinal_ex(context, $0.baseAddress, nil) } == 1
    return isDone ? digest : nil
  }
}
