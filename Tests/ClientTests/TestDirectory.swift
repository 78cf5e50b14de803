import FoundationEssentials
import Glibc

/// A directory of a test's own, removed with it.
final class TestDirectory {
  let path: String

  init() {
    var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? P_tmpdir)/client-test-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? ""
    }
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Makes a file, and the directories above it.
  func file(_ name: String, _ bytes: [UInt8] = [], mode: mode_t = 0o600) -> String {
    var made = path
    let parts = name.split(separator: "/")
    for part in parts.dropLast() {
      made += "/\(part)"
      mkdir(made, 0o700)
    }
    let whole = "\(path)/\(name)"
    let file = open(whole, O_WRONLY | O_CREAT | O_TRUNC, mode)
    bytes.withUnsafeBytes { _ = write(file, $0.baseAddress, $0.count) }
    close(file)
    chmod(whole, mode)
    return whole
  }
}
