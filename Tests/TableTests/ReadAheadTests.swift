import Bytes
import Environment
import Simulation
import Synchronization
import Testing

@testable import Table

@Suite struct ReadAheadTests {
  /// A file of which some bytes can't be read, and that counts what it is asked for.
  private final class CountingFile: DiskFile {
    let path = "/f"
    let content: [UInt8]
    let unreadable: Range<Int>
    let reads = Mutex<[Int]>([])

    init(_ content: [UInt8], unreadable: Range<Int> = 0..<0) {
      (self.content, self.unreadable) = (content, unreadable)
    }

    func size() -> UInt64 { UInt64(content.count) }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
      let start = min(Int(offset), content.count)
      let part = start..<min(start + buffer.count, content.count)
      reads.withLock { $0.append(buffer.count) }
      if part.overlaps(unreadable) { throw DiskError(operation: "read", path: path, code: 5) }
      buffer.copyBytes(from: content[part])
      return part.count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) { throw refusal }
    func truncate(to size: UInt64) throws(DiskError) { throw refusal }
    func sync() throws(DiskError) { throw refusal }
    private var refusal: DiskError { DiskError(operation: "write", path: path, code: 30) }
  }

  private func read(_ readAhead: ReadAhead, _ file: CountingFile, _ offset: Int, _ count: Int) throws(DiskError)
    -> [UInt8]
  {
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: DiskError?
    let found = bytes.withUnsafeMutableBytes { buffer in
      do throws(DiskError) {
        return try readAhead.read(file, at: UInt64(offset), into: buffer)
      } catch {
        failure = error
        return 0
      }
    }
    if let failure { throw failure }
    return Array(bytes[..<found])
  }

  @Test("wherever it is asked for, it gives what the file has", arguments: 1...40 as ClosedRange<UInt64>)
  func content(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let file = CountingFile((0..<300_000).map { _ in UInt8.random(in: 0...255, using: &random) })
    let readAhead = ReadAhead()
    var offset = 0
    for _ in 0..<400 {
      // Mostly the next block, sometimes one a little further, or anywhere.
      switch Int.random(in: 0..<20, using: &random) {
      case 0: offset = Int.random(in: 0...file.content.count + 10, using: &random)
      case 1: offset += Int.random(in: 0...20_000, using: &random)
      default: break
      }
      let count = Int.random(in: 1...9_000, using: &random)
      let start = min(offset, file.content.count)
      let expected = Array(file.content[start..<min(start + count, file.content.count)])
      #expect(try read(readAhead, file, offset, count) == expected, "seed \(seed): \(count) at \(offset)")
      offset += count
    }
  }

  @Test("one that goes through is read in ever larger parts; one that leaps about, no more than is asked for")
  func amounts() throws {
    let file = CountingFile([UInt8](repeating: 1, count: 1 << 20))
    let readAhead = ReadAhead()
    for block in 0..<64 { _ = try read(readAhead, file, block << 12, 4096) }
    #expect(file.reads.withLock { $0 }.prefix(5) == [8 << 10, 16 << 10, 32 << 10, 64 << 10, 64 << 10])
    #expect(file.reads.withLock { $0.count } <= 8)
    file.reads.withLock { $0 = [] }
    for block in [200, 17, 180, 99, 3] { _ = try read(readAhead, file, block << 12, 4096) }
    #expect(file.reads.withLock { $0 } == [4096, 4096, 4096, 4096, 4096])
  }

  @Test("what can't be read hides nothing beside it")
  func unreadable() throws {
    let file = CountingFile((0..<100_000).map { UInt8(truncatingIfNeeded: $0) }, unreadable: 50_000..<50_001)
    let readAhead = ReadAhead()
    for start in stride(from: 0, to: 100_000, by: 1000) {
      if start == 50_000 {
        #expect(throws: DiskError.self) { try read(readAhead, file, start, 1000) }
      } else {
        #expect(try read(readAhead, file, start, 1000) == Array(file.content[start..<start + 1000]), "\(start)")
      }
    }
  }

  @Test("of another file it gives nothing that it read of the one before")
  func reset() throws {
    let readAhead = ReadAhead()
    let one = CountingFile([UInt8](repeating: 1, count: 10_000))
    for block in 0..<3 { _ = try read(readAhead, one, block * 1000, 1000) }
    readAhead.reset()
    let other = CountingFile([UInt8](repeating: 2, count: 10_000))
    #expect(try read(readAhead, other, 3000, 1000) == [UInt8](repeating: 2, count: 1000))
  }
}
