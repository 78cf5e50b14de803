import Bytes
import Glibc
import Testing

@testable import Commands

@Suite("Streams")
struct StreamTests {
  @Test("Parts and counted bytes come out as they went in, whatever the sizes")
  func parts() throws {
    var random = SplitMix64(seed: 7)
    let parts = (0..<200).map { _ in
      (0..<Int.random(in: 0...3000, using: &random)).map { _ in UInt8.random(in: 1...255, using: &random) }
    }
    let input = try PipeInput(parts.flatMap { $0 + [0] } + [1, 2, 3])
    for part in parts { #expect(try input.stream.part(upTo: 0, limit: 3000) == .complete(part)) }
    #expect(try input.stream.part(upTo: 0, limit: 3000) == .unfinished([1, 2, 3]))
    #expect(try input.stream.part(upTo: 0, limit: 3000) == .end)
    #expect(try input.stream.isAtEnd())
  }

  @Test("A part longer than the limit is not taken, and can be passed over")
  func tooLong() throws {
    let input = try PipeInput([UInt8](repeating: 7, count: 200_000) + [0, 1, 0])
    #expect(try input.stream.part(upTo: 0, limit: 1000) == .tooLong)
    try input.stream.skip(past: 0)
    #expect(try input.stream.part(upTo: 0, limit: 1000) == .complete([1]))
  }

  @Test("All of a stream comes at once, unless it is more than the limit")
  func all() throws {
    let bytes = [UInt8](repeating: 5, count: 100_000)
    let (whole, cut, none) = (try PipeInput(bytes), try PipeInput(bytes), try PipeInput([]))
    #expect(try whole.stream.all(limit: 100_000) == bytes)
    #expect(try cut.stream.all(limit: 99_999) == nil)
    #expect(try none.stream.all(limit: 0) == [])
  }

  @Test("A file that doesn't exist is exit 66, one that can't be written 74")
  func missing() {
    #expect(throws: CommandError.self) { try InputStream(opening: "/nonexistent/file") }
    #expect(CommandError.file(operation: "open", path: "x", code: ENOENT).exitCode == .missingFile)
    #expect(CommandError.file(operation: "write", path: "x", code: ENOSPC).exitCode == .inputOutput)
  }

  @Test("A full device is an error with its name, a closed pipe one without words")
  func writeErrors() throws {
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let output = OutputStream(descriptor: full, path: "the device")
    try output.write([1])
    #expect {
      try output.flush()
    } throws: { error in
      (error as? CommandError)?.message == "write the device: No space left on device"
    }
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    close(ends[0])
    let closed = OutputStream(descriptor: ends[1], path: "the pipe")
    try closed.write([1])
    #expect {
      try closed.flush()
    } throws: { error in
      let error = error as? CommandError
      return error?.message == nil && error?.exitCode == .inputOutput
    }
    close(ends[1])
  }

  @Test("A replaced file has the new content whole, or the old one")
  func replacement() throws {
    let directory = try DirectoryTree.makeTemporary("kv-test-")
    defer { DirectoryTree.remove(directory) }
    let path = "\(directory)/file"
    for content in ["first", "second"] {
      let code = try FileReplacement.write(path) { (file) throws(CommandError) in
        try file.write(content.utf8)
        return .done
      }
      #expect(code == .done)
      #expect(try InputStream(opening: path).all(limit: 100) == Array(content.utf8))
    }
    let code = try FileReplacement.write(path) { (file) throws(CommandError) in
      try file.write("third".utf8)
      return .absent
    }
    #expect(code == .absent)
    #expect(try InputStream(opening: path).all(limit: 100) == Array("second".utf8))
    #expect(DirectoryTree.entries(directory).map(\.name) == ["file"])
  }
}
