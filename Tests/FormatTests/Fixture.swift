import Bytes
import Environment
import Log
import Simulation
import Snapshot
import Store
import Table

/// The stores and logs of format version 1 that lie beside these tests, and how they were made. What was released once must
/// be readable for ever: they are never made anew.
enum Fixture {
  static let storeDirectory = "/store-1"
  /// From before a segment's header said how large its file is.
  static let unsizedLogDirectory = "/log-1"
  /// From before it said that the segment's end is marked when it is left.
  static let unmarkedLogDirectory = "/log-1-sized"
  static let logDirectory = "/log-1-marked"
  static let logDirectories = [unsizedLogDirectory, unmarkedLogDirectory, logDirectory]
  static let snapshotDirectory = "/snapshot-1"

  static var root: String {
    "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/fixtures"
  }

  static func value(_ key: String, _ version: UInt64, _ value: String) -> Record {
    Record(key: Key(key), version: Version(rawValue: version), value: Array(value.utf8))
  }

  /// The writes, a list for each flush.
  static let flushes: [[Record]] = [
    [value("apple", 1, "green"), value("pear", 2, "hard"), value("plum", 3, "blue"), value("apple", 5, "red")],
    [.tombstone(Key("pear"), Version(rawValue: 8)), value("plum", 9, "violet"), value("", 10, "the empty key")],
    [value("apple", 20, "rotten"), value("quince", 21, "\u{0}\u{1}binary\u{7f}")],
  ]

  static let retention = Retention(floor: Version(rawValue: 6), pins: [Version(rawValue: 2), Version(rawValue: 4)])

  static func state(_ index: Int, _ version: Version) -> StoreState {
    StoreState(
      appliedIndex: LogIndex(rawValue: UInt64(index)), appliedTerm: Term(rawValue: 7), membership: [1, 2, 3],
      arcStart: 1 << 62, arcLength: 2, epoch: 3, lastVersion: version, closedVersion: version, sessions: [9],
      extra: [8, 7])
  }

  static var options: StoreOptions {
    var options = StoreOptions()
    options.level0Files = 2
    return options
  }

  /// Makes the store as the fixture's was made.
  static func makeStore(_ disk: any Disk) throws {
    let store = try PartitionStore.create(
      disk: disk, directory: storeDirectory, options: options, cache: BlockCache(byteBudget: 0),
      state: state(0, .zero))
    for (index, records) in flushes.enumerated() {
      for record in records { store.apply(record) }
      if let job = store.freeze(state: state(index + 1, records.last?.version ?? .zero)) {
        try store.install(job.run())
      }
      if index == 1 {
        while let job = store.nextCompaction() { try store.install(job.run()) }
        store.retain(retention)
      }
    }
  }

  /// Makes the log as the fixture's was made.
  static func makeLog(_ disk: any Disk) throws {
    let (log, _) = try SharedLog.open(
      disk: disk, directory: logDirectory,
      options: LogOptions(segmentBytes: .kibibytes(4), spareSegments: 1, identity: 0x1122_3344_5566_7788))
    let (first, second) = (GroupID(rawValue: 1), GroupID(rawValue: 2))
    func entry(_ term: UInt64, _ index: UInt64, _ text: String) -> LogEntry {
      LogEntry(term: Term(rawValue: term), index: LogIndex(rawValue: index), payload: Array(text.utf8))
    }
    let vote = StoredHardState(
      term: Term(rawValue: 3), vote: ReplicaID(rawValue: 5), commit: LogIndex(rawValue: 1))
    try log.append(
      [
        LogWrite(group: first, hardState: vote, entries: [entry(3, 1, "one"), entry(3, 2, "two")]),
        LogWrite(group: second, entries: [entry(1, 1, "")]),
      ], sync: true)
    try log.append([LogWrite(group: first, entries: [entry(4, 2, "another two")])], sync: true)
    try log.append(
      [LogWrite(group: second, reset: LogPoint(index: LogIndex(rawValue: 9), term: Term(rawValue: 2)))], sync: true)
    try log.append([LogWrite(group: first, compactedThrough: LogIndex(rawValue: 1))], sync: true)
    log.settle()
  }

  /// Makes the snapshots' files as the fixtures were made: of everything, of history, of what changed. What stands for
  /// signature and certificates is no such thing: they are never the same twice.
  static func makeSnapshots(_ disk: any Disk) throws {
    try disk.createDirectory(snapshotDirectory)
    let version = Version(rawValue: 9)
    func lived(_ key: String, _ from: UInt64, _ to: UInt64, _ text: String) -> Lifespan {
      Lifespan(value(key, from, text), to: Version(rawValue: to))
    }
    let files: [(name: String, oldest: Version, since: Version?, spans: [Lifespan])] = [
      ("full.kvs", version, nil, [lived("apple", 5, .max, "red"), lived("plum", 9, .max, "violet")]),
      (
        "history.kvs", Version(rawValue: 2), nil,
        [
          lived("apple", 5, .max, "red"), lived("apple", 1, 5, "green"), lived("pear", 2, 8, "hard"),
          lived("plum", 9, .max, "violet"), lived("plum", 3, 9, "blue"),
        ]
      ),
      (
        "changes.kvs", version, Version(rawValue: 5),
        [Lifespan(.tombstone(Key("pear"), Version(rawValue: 8)), to: .max), lived("plum", 9, .max, "violet")]
      ),
    ]
    for file in files {
      let statement = SnapshotStatement(
        cluster: "kv-0123456789ab", version: version, oldest: file.oldest, since: file.since, prefix: Array("".utf8),
        createdMilliseconds: 1_700_000_000_000)
      let writer = try SnapshotFileWriter(disk: disk, path: "\(snapshotDirectory)/\(file.name)", statement: statement)
      for span in file.spans { try writer.add(span) }
      _ = writer.complete()
      _ = try writer.finish(
        signature: Array("signature".utf8), certificate: Array("certificate".utf8), authority: Array("authority".utf8))
    }
  }

  /// The dump of every file in a directory, by name.
  static func dump(_ disk: any Disk, _ directory: String) throws -> String {
    var lines: [String] = []
    for name in try disk.list(directory) {
      lines.append("== \(name)")
      let path = directory + "/" + name
      func emit(_ line: DumpLine) { lines.append(line.text()) }
      if name.hasSuffix(".sst") || name.hasSuffix(".kvs") {
        if try TableDump.run(disk: disk, path: path, emit) > 0 { lines.append("faults") }
      } else if name.hasPrefix("manifest-") {
        if try ManifestDump.run(disk: disk, path: path, emit) > 0 { lines.append("faults") }
      } else if name.hasSuffix(".log") {
        if try SegmentDump.run(disk: disk, path: path, emit) > 0 { lines.append("faults") }
      } else {
        lines.append(Escaping.text(try disk.contents(of: path, limit: 1 << 20)))
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A copy of a directory of fixtures on a simulated disk.
  static func copy(_ name: String) throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    let host = PosixDisk()
    try disk.createDirectory(name)
    for file in try host.list(root + name) {
      let bytes = try host.contents(of: root + name + "/" + file, limit: 1 << 20)
      try disk.open(name + "/" + file, .create).write(bytes, at: 0)
    }
    return disk
  }
}
