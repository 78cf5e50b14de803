import Bytes
import Glibc

/// `kv demo --tour`: loads real data with the commands that a user would type, and compares every answer with a plain
/// sorted copy. Words go to standard error, the answers' first lines to standard output.
struct Tour {
  let cluster: DemoCluster
  let global: GlobalOptions
  /// At most so many records.
  let most: Int?

  func run(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let data = try TourData.gather(in: cluster.directory, most: most)
    guard data.records.count >= 10 else { throw .child("this system has no data for a tour") }
    let shell = TourShell(cluster: cluster, global: global, output: output)
    try load(data, shell)
    try readInOrder(data, shell)
    try travelInTime(data, shell)
    try writeOnCondition(shell)
    try surviveKill(data, shell)
    global.say("the tour is over: every answer was what a sorted copy of the data gives")
    return .done
  }

  private func load(_ data: TourData, _ shell: TourShell) throws(CommandError) {
    global.say("1. \(data.records.count) records of real data: \(data.source)")
    let path = try shell.writeFile("data.cdb", Tour.cdb(data.records))
    try shell.expect(["put", "--from", "cdb", .init(path)], [])
    global.say("   all of it back, in key order, byte for byte:")
    try shell.expect("range --format cdb", Tour.cdb(data.records), shown: 0)
  }

  private func readInOrder(_ data: TourData, _ shell: TourShell) throws(CommandError) {
    let records = data.records
    let (first, second) = (records[records.count / 3], records[records.count / 3 + 3])
    global.say("2. a range, the lower end included, the upper one not")
    let part = records.filter { $0.key >= first.key && $0.key < second.key }
    try shell.expect(["range", .init(first.key), .init(second.key), "--format", "keys"], Tour.keys(part))
    global.say("   a prefix")
    let prefix = Key(Array(first.key.bytes.prefix(max(3, first.key.bytes.count / 3))))
    let prefixed = records.filter { $0.key.bytes.starts(with: prefix.bytes) }
    try shell.expect(["range", "--prefix", .init(prefix), "--format", "keys"], Tour.keys(prefixed))
    global.say("   backwards, the last three")
    try shell.expect("range --reverse --limit 3 --format keys", Tour.keys(records.suffix(3).reversed()))
  }

  private func travelInTime(_ data: TourData, _ shell: TourShell) throws(CommandError) {
    let record = data.records[data.records.count / 2]
    global.say("3. time travel: change a record, delete another, then look at how it was")
    let before = try shell.run(["put", .init(record.key), "changed"])
    let other = data.records[data.records.count / 2 + 1]
    try shell.run(["delete", .init(other.key)])
    try shell.expect(["get", .init(record.key)], Array("changed".utf8))
    try shell.expect(["get", .init(other.key)], [], status: .absent)
    guard let version = UInt64(String(decoding: before.dropLast(), as: UTF8.self)), version > 0 else {
      throw .mismatch("kv put printed no version")
    }
    let earlier = "\(version - 1)"
    try shell.expect(["get", .init(record.key), "--at", .init(earlier)], record.value)
    global.say("   the whole store as it was just before:")
    try shell.expect(["range", "--at", .init(earlier), "--format", "cdb"], Tour.cdb(data.records), shown: 0)
    try shell.run(["put", .init(record.key), "-"], input: record.value)
    try shell.run(["put", .init(other.key), "-"], input: other.value)
  }

  private func writeOnCondition(_ shell: TourShell) throws(CommandError) {
    global.say("4. conditions: the first writer wins, and exit status 1 tells the other")
    try shell.run("put tour/lock me --if-absent")
    try shell.expect("put tour/lock you --if-absent", [], status: .absent)
    try shell.expect("get tour/lock", Array("me".utf8))
    try shell.run("delete tour/lock")
  }

  private func surviveKill(_ data: TourData, _ shell: TourShell) throws(CommandError) {
    guard let victim = try cluster.busiestLeader() else { throw .child("no node leads any partition") }
    global.say("5. kill -9 \(cluster.nodes[victim].pid): node \(victim + 1), which leads the most partitions")
    cluster.killNode(victim)
    try shell.run("put tour/after-the-kill works --timeout 30s")
    try shell.run("delete tour/after-the-kill --timeout 30s")
    global.say("   everything is still there:")
    try shell.expect("range --format cdb --timeout 30s", Tour.cdb(data.records), shown: 0)
    global.say("   the node comes back, and needs nothing but its directory")
    try cluster.restartNode(victim)
    var progress = ProgressLine(quiet: global.quiet)
    try cluster.waitUntilHealthy(&progress)
    progress.clear()
    try shell.run("status", shown: 20)
    try shell.expect("range --format cdb", Tour.cdb(data.records), shown: 0)
  }

  private static func cdb(_ records: [(key: Key, value: [UInt8])]) -> [UInt8] {
    var bytes: [UInt8] = []
    for record in records {
      CDBFormat.append(Record(key: record.key, version: .zero, value: record.value), to: &bytes)
    }
    return bytes + Array("\n".utf8)
  }

  private static func keys(_ records: some Sequence<(key: Key, value: [UInt8])>) -> [UInt8] {
    records.flatMap { Escaping.escape($0.key.bytes) + Array("\n".utf8) }
  }
}
