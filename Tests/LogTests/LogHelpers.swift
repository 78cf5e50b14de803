import Bytes
import Environment
import Log
import Simulation
import Testing

let smallSegments = LogOptions(segmentBytes: .kibibytes(4), spareSegments: 2, identity: 7)

func open(_ disk: SimulatedDisk, _ options: LogOptions = smallSegments) throws -> (log: SharedLog, held: RecoveredLog) {
  try SharedLog.open(disk: disk, directory: "log", options: options)
}

func group(_ number: UInt32) -> GroupID { GroupID(rawValue: number) }

func index(_ number: UInt64) -> LogIndex { LogIndex(rawValue: number) }

func hardState(_ term: UInt64, vote: UInt64 = 0, commit: UInt64 = 0) -> StoredHardState {
  StoredHardState(term: Term(rawValue: term), vote: ReplicaID(rawValue: vote), commit: index(commit))
}

/// Entries with these indices, each with a payload that tells it from others.
func entries(_ indices: ClosedRange<UInt64>, term: UInt64 = 1, bytes: Int = 20) -> [LogEntry] {
  indices.map { number in
    LogEntry(
      term: Term(rawValue: term), index: index(number),
      payload: [UInt8](repeating: UInt8(truncatingIfNeeded: number &* 7 &+ term), count: bytes))
  }
}

extension RecoveredLog {
  subscript(_ number: UInt32) -> RecoveredGroup? { groups.first { $0.0 == group(number) }?.1 }
}

/// The name of a segment's file.
func segment(_ sequence: Int) -> String { "log/000000000000000\(sequence).log" }

/// The offset in a file at which some bytes begin.
func offset(of bytes: [UInt8], in path: String, on disk: SimulatedDisk) throws -> Int {
  let content = try disk.contents(of: path, limit: 1 << 26)
  return try #require((0...content.count - bytes.count).first { Array(content[$0..<$0 + bytes.count]) == bytes })
}
