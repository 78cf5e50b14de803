import Glibc

@testable import Commands

/// A stream that gives some bytes: a file without a name.
final class PipeInput {
  let stream: InputStream
  private let descriptor: Int32

  init(_ bytes: [UInt8]) throws {
    var template = Array("/tmp/kv-test-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw CommandError.file(operation: "create", path: "/tmp", code: errno) }
    unlink(&template)
    let output = OutputStream(descriptor: descriptor, path: "a test's file")
    try output.write(bytes)
    try output.flush()
    lseek(descriptor, 0, SEEK_SET)
    stream = InputStream(descriptor: descriptor, path: "test")
  }

  deinit { close(descriptor) }
}
