import Bytes
import Environment
import Log
import Simulation
import Testing

@Suite("The format of the shared log, kv-log(5)")
struct LogFormatTests {
  /// The example of the manual: two batches of a new log.
  private func example() throws -> [UInt8] {
    let disk = SimulatedDisk()
    let options = LogOptions(segmentBytes: .kibibytes(4), identity: 0x0123_4567_89ab_cdef)
    let (log, _) = try open(disk, options)
    let entry = LogEntry(term: Term(rawValue: 3), index: index(1), payload: Array("hello".utf8))
    try log.append(
      [
        LogWrite(group: group(5), hardState: hardState(3, vote: 0x1_0000_0001, commit: 0), entries: [entry])
      ], sync: true)
    return try disk.contents(of: segment(1), limit: 4096)
  }

  private func hexadecimal(_ bytes: some Collection<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test("dump")
  func dump() throws {
    let bytes = try example()
    print(hexadecimal(bytes[0..<64]))
    print(bytes[0..<512] == bytes[512..<1024].withUnsafeBufferPointer { ArraySlice($0) })
    print(hexadecimal(bytes[1024..<1224]))
  }
}
