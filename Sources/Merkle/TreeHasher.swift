/// The hashes of a tree as RFC 6962 §2.1 defines them: a leaf is SHA-256(0x00 ‖ its bytes), an inner node
/// SHA-256(0x01 ‖ left ‖ right), the tree of nothing SHA-256 of nothing. For one thread at a time.
///
/// SAFETY: parts are lent for the call, which copies or hashes them and keeps none.
public final class TreeHasher {
  private let hasher = MessageHasher()

  /// A hasher.
  public init() {}

  /// The hash of a leaf whose bytes come in parts.
  public func leaf(_ parts: UnsafeRawBufferPointer...) -> TreeHash {
    hasher.begin()
    hasher.add(0 as UInt8)
    for part in parts { hasher.add(part) }
    return finish()
  }

  /// The hash of a leaf that is a sum.
  func leaf(_ sum: RecordSum) -> TreeHash {
    hasher.begin()
    hasher.add(0 as UInt8)
    sum.withBytes { hasher.add($0) }
    return finish()
  }

  /// The hash of the node above two others.
  public func node(_ left: TreeHash, _ right: TreeHash) -> TreeHash {
    hasher.begin()
    hasher.add(1 as UInt8)
    left.withBytes { hasher.add($0) }
    right.withBytes { hasher.add($0) }
    return finish()
  }

  /// The hash of a tree without leaves.
  public func empty() -> TreeHash {
    hasher.begin()
    return finish()
  }

  private func finish() -> TreeHash { TreeHash { hasher.finish(into: $0) } }
}
