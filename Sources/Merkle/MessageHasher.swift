/// SHA-256 of short messages that come in parts. For one thread at a time.
///
/// The parts of a message are put side by side first, since the library takes longer over several short ones.
final class MessageHasher {
  /// What is put side by side; a longer message goes to the library in pieces.
  private static let gathered = 1 << 10

  private let hash = SHA256()
  // SAFETY: owned, and `count` bytes of it are initialized; every addition looks for room first.
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: gathered, alignment: 64)
  private var count = 0

  deinit { buffer.deallocate() }

  /// Begins a message.
  @inline(__always)
  func begin() {
    count = 0
    hash.begin()
  }

  /// Adds bytes to the message.
  @inline(__always)
  func add(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= Self.gathered - count else { return addLong(bytes) }
    guard let source = bytes.baseAddress else { return }
    (buffer.baseAddress.unsafelyUnwrapped + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }

  /// Adds a number's bytes, the lowest first.
  @inline(__always)
  func add(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { add($0) }
  }

  private func addLong(_ bytes: UnsafeRawBufferPointer) {
    hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    count = 0
    hash.update(bytes)
  }

  /// Ends the message, and writes its digest, 32 bytes.
  @inline(__always)
  func finish(into digest: UnsafeMutableRawBufferPointer) {
    hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    hash.finish(into: digest)
  }
}
