import COpenSSL

/// The hashes of a tree as RFC 6962 §2.1 defines them: a leaf is SHA-256(0x00 ‖ its bytes), an inner node
/// SHA-256(0x01 ‖ left ‖ right), the tree of nothing SHA-256 of nothing. For one thread at a time.
///
/// A context is made once and used for all, which costs half of what a new one for each hash would. Where libcrypto
/// refuses, every hash from then on is meaningless, and `isSound` false.
public final class TreeHasher {
  private let context: OpaquePointer?
  private let algorithm: OpaquePointer?
  /// Whether all hashes so far are right.
  public private(set) var isSound = true

  /// A hasher.
  public init() {
    context = EVP_MD_CTX_new()
    // Fetched once: looked up by each use otherwise (EVP_MD_fetch(3)).
    algorithm = EVP_MD_fetch(nil, "SHA256", nil)
  }

  deinit {
    EVP_MD_CTX_free(context)
    EVP_MD_free(algorithm)
  }

  /// The hash of a leaf whose bytes come in parts.
  public func leaf(_ parts: UnsafeRawBufferPointer...) -> TreeHash { hash(prefix: 0, parts) }

  /// The hash of the node above two others.
  public func node(_ left: TreeHash, _ right: TreeHash) -> TreeHash {
    left.withBytes { left in right.withBytes { right in hash(prefix: 1, [left, right]) } }
  }

  /// The hash of a tree without leaves.
  public func empty() -> TreeHash { hash(prefix: nil, []) }

  private func hash(prefix: UInt8?, _ parts: [UnsafeRawBufferPointer]) -> TreeHash {
    TreeHash { digest in
      // SAFETY: the library reads each part within its count and writes 32 bytes, for which there is room.
      guard let context, let algorithm, EVP_DigestInit_ex2(context, algorithm, nil) == 1 else {
        isSound = false
        return
      }
      if var prefix, EVP_DigestUpdate(context, &prefix, 1) != 1 { isSound = false }
      for part in parts where EVP_DigestUpdate(context, part.baseAddress, part.count) != 1 { isSound = false }
      let start = digest.baseAddress?.assumingMemoryBound(to: UInt8.self)
      if EVP_DigestFinal_ex(context, start, nil) != 1 { isSound = false }
    }
  }
}
