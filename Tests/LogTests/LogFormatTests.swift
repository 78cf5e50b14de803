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
    log.settle()
    return try disk.contents(of: segment(1), limit: 4096)
  }

  private func hexadecimal(_ bytes: some Collection<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The bytes of annotated lines: hexadecimal digits, then two spaces and what they mean.
  private func golden(_ lines: String) -> String {
    lines.split(separator: "\n").map { line in
      String(line.prefix { !$0.isWhitespace || $0 == " " }.split(separator: "  ")[0].filter { $0 != " " })
    }.joined()
  }

  @Test("A segment begins with its header, twice")
  func segmentHeader() throws {
    let bytes = try example()
    let expected = golden(
      """
      6b 76 6c 6f 67 73 65 67  "kvlogseg"
      01 00 00 00  format version 1
      00 10 00 00  the file has 4,096 bytes
      ef cd ab 89 67 45 23 01  identity
      01 00 00 00 00 00 00 00  sequence number 1
      01 00 00 00 00 00 00 00  its first frame is number 1
      00 00 00 00 00 00 00 00  where the log ended before: it is new
      01 00 00 00 00 00 00 00  segment 1 is the oldest needed
      01 00 00 00  its end is marked when it is left
      f4 32 48 86  checksum
      """)
    #expect(hexadecimal(bytes[..<64]) == expected)
    #expect(hexadecimal(bytes[512..<576]) == expected)
    #expect(bytes[64..<512].allSatisfy { $0 == 0 } && bytes[576..<1024].allSatisfy { $0 == 0 })
  }

  @Test(
    "A batch is a frame: a header, a header for each record, the payloads, and a mark behind it once it is durable and the log rests"
  )
  func frame() throws {
    let bytes = try example()
    let expected = golden(
      """
      6b 76 4c 42  "kvLB"
      b6 8a 1c 41  checksum of the headers
      01 00 00 00 00 00 00 00  frame 1
      00 04 00 00 01 00 00 00  durable up to byte 1024 of segment 1
      01 00 00 00 00 00 00 00  segment 1 is the oldest needed
      01 00 00 00  one record
      32 00 00 00  50 bytes of payload
      05 00 00 00  record: group 5
      32 00 00 00  50 bytes of payload
      c6 38 5e 4a  checksum of the payload
      11 00 00 00  hard state and entries
      01 00 00 00 00 00 00 00  the group's first record
      01 00 00 00 00 00 00 00  entries from index 1
      01 00 00 00 00 00 00 00  to index 1
      03 00 00 00 00 00 00 00  payload: hard state: term 3
      01 00 00 00 01 00 00 00  vote for replica 1.1
      00 00 00 00 00 00 00 00  commit 0
      05 00 00 00  entry: five bytes
      03 00 00 00 00 00 00 00  term 3
      01 00 00 00 00 00 00 00  index 1
      00  a command
      68 65 6c 6c 6f  "hello"
      00 00 00 00 00 00  padding
      6b 76 4c 4d  mark: "kvLM"
      ea 22 e6 21  checksum
      02 00 00 00 00 00 00 00  frame 2 will be written here
      88 04 00 00 01 00 00 00  durable up to here
      01 00 00 00 00 00 00 00  segment 1 is the oldest needed
      00 00 00 00  no record
      00 00 00 00  no payload
      """)
    #expect(hexadecimal(bytes[1024..<1024 + expected.utf8.count / 2]) == expected)
    #expect(bytes[(1024 + expected.utf8.count / 2)...].allSatisfy { $0 == 0 })
  }

  @Test("The control fields of a record come in the order reset, compacted, and those of a checkpoint")
  func control() throws {
    let disk = SimulatedDisk()
    let options = LogOptions(segmentBytes: .kibibytes(4), identity: 1)
    let (log, _) = try open(disk, options)
    let point = LogPoint(index: index(0x11), term: Term(rawValue: 0x22))
    try log.append([LogWrite(group: group(1), reset: point, compactedThrough: index(0x11))], sync: true)
    try log.append([LogWrite(group: group(2), removed: true)], sync: true)
    let bytes = try disk.contents(of: segment(1), limit: 4096)
    #expect(hexadecimal(bytes[1024 + 52..<1024 + 56]) == "06000000")
    #expect(hexadecimal(bytes[1024 + 80..<1024 + 104]) == "110000000000000022000000000000001100000000000000")
    #expect(hexadecimal(bytes[1024 + 104 + 52..<1024 + 104 + 56]) == "08000000")
    for number in 0x12...0x1a as ClosedRange<UInt64> {
      try log.append(
        [LogWrite(group: group(3), entries: entries(number - 0x11...number - 0x11, bytes: 900))], sync: true)
    }
    try log.append([LogWrite(group: group(3), compactedThrough: index(8))], sync: true)
    // Group 1's state, written anew when the first segment was reclaimed.
    let contents = try disk.list("log").map { hexadecimal(try disk.contents(of: "log/" + $0, limit: 4096)) }
    #expect(!disk.exists(segment(1)))
    #expect(contents.contains { $0.contains(expectedCheckpoint) })
  }

  private var expectedCheckpoint: String {
    golden(
      """
      00 00 00 00 00 00 00 00  hard state: term 0
      00 00 00 00 00 00 00 00  no vote
      00 00 00 00 00 00 00 00  commit 0
      11 00 00 00 00 00 00 00  reset at index 17
      22 00 00 00 00 00 00 00  of term 34
      11 00 00 00 00 00 00 00  compacted through 17
      11 00 00 00 00 00 00 00  the last entry is 17
      00 00 00 00  nothing is lost
      """)
  }
}
