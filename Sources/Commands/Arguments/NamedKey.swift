import Bytes

extension ArgumentBytes {
  /// Refuses an argument that can be no record's key, before anybody is asked: what is empty, or too long.
  func checkAsKey() throws(CommandError) {
    guard !bytes.isEmpty else { throw .malformed("the key is empty") }
    if let words = RecordBounds.violation(key: bytes) { throw .malformed(words) }
  }
}
