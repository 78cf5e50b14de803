import Bytes
import Environment
import Simulation
import TLS
import Testing

@testable import Snapshot

@Suite("Snapshots' files")
struct SnapshotFileTests {
  private let path = "/file.kvs"

  private func all(_ cursor: SnapshotCursor) throws -> [Lifespan] {
    var found: [Lifespan] = []
    while let span = try cursor.next() { found.append(span) }
    return found
  }

  @Test("a file is read as the cluster was: every key, range and direction", arguments: 1...8 as ClosedRange<UInt64>)
  func latest(seed: UInt64) throws {
    let model = WriteModel(seed: seed, count: Int(seed) * 60)
    let disk = SimulatedDisk()
    let alive = model.alive(at: model.last)
    try Signer().write(
      alive.map { Lifespan($0, to: .max) }, model.statement(at: model.last), to: path, on: disk)
    let file = try SnapshotFile(disk: disk, path: path)
    #expect(file.statement.records == UInt64(alive.count))
    for number in 0..<22 {
      let key = Key("key/\(number)")
      #expect(try file.get(key, at: model.last) == alive.first { $0.key == key }, "seed \(seed)")
    }
    var random = SplitMix64(seed: seed)
    for reverse in [false, true] {
      for _ in 0..<40 {
        let lower = Key("key/\(random.next() % 22)")
        let upper = random.next() % 3 == 0 ? nil : Key("key/\(random.next() % 22)")
        let expected = alive.filter { record in
          record.key >= lower && upper.map { record.key < $0 } ?? true
        }
        let found = try all(file.records(from: lower, to: upper, at: model.last, reverse: reverse)).map(\.record)
        #expect(found == (reverse ? expected.reversed() : expected), "seed \(seed)")
      }
    }
    #expect(throws: SnapshotError.self) { try file.version(for: Version(rawValue: 1)) }
    let (statement, seal) = try SnapshotCheck.content(disk: disk, path: path)
    #expect(try SnapshotTrust(statement, seal, path: path).node == NodeID(rawValue: 3))
  }

  @Test("a file with history shows every version as it was", arguments: 1...8 as ClosedRange<UInt64>)
  func history(seed: UInt64) throws {
    let model = WriteModel(seed: seed, count: 200)
    let oldest = Version(rawValue: 250)
    let disk = SimulatedDisk()
    let spans = model.history(since: oldest, at: model.last, changedOnly: false)
    try Signer().write(spans, model.statement(at: model.last, oldest: oldest), to: path, on: disk)
    _ = try SnapshotCheck.content(disk: disk, path: path)
    let file = try SnapshotFile(disk: disk, path: path)
    for raw in stride(from: oldest.rawValue, through: model.last.rawValue, by: 7) {
      let version = try file.version(for: Version(rawValue: raw))
      let alive = model.alive(at: version)
      #expect(try all(file.records(at: version)).map(\.record) == alive, "seed \(seed) at \(raw)")
      #expect(try all(file.records(at: version, reverse: true)).map(\.record) == alive.reversed(), "seed \(seed)")
      for number in 0..<20 {
        let key = Key("key/\(number)")
        #expect(try file.get(key, at: version) == alive.first { $0.key == key }, "seed \(seed) at \(raw)")
      }
    }
    #expect(throws: SnapshotError.self) { try file.version(for: Version(rawValue: oldest.rawValue - 1)) }
    #expect(throws: SnapshotError.self) { try file.version(for: Version(rawValue: model.last.rawValue + 1)) }
  }

  @Test("one flipped bit in any byte of a file is found, with file, offset, expected and found")
  func flips() throws {
    let model = WriteModel(seed: 5, count: 60)
    for history in [false, true] {
      let disk = SimulatedDisk()
      let oldest = Version(rawValue: 150)
      let spans =
        history
        ? model.history(since: oldest, at: model.last, changedOnly: false)
        : model.alive(at: model.last).map { Lifespan($0, to: .max) }
      try Signer().write(
        spans, model.statement(at: model.last, oldest: history ? oldest : nil), to: path, on: disk)
      for offset in 0..<Int(try disk.open(path, .read).size()) {
        for mask in [UInt8(1) << UInt8(offset % 8), 0xff] {
          disk.flip(path, at: offset, mask: mask)
          do {
            let (statement, seal) = try SnapshotCheck.content(disk: disk, path: path)
            _ = try SnapshotTrust(statement, seal, path: path)
            Issue.record("byte \(offset) was changed, and nothing was found")
          } catch {
            #expect("\(error)".contains(path), "\(error)")
          }
          disk.flip(path, at: offset, mask: mask)
        }
      }
      let bytes = try disk.contents(of: path, limit: 1 << 20)
      for count in stride(from: 0, to: bytes.count, by: 13) {
        let cut = "/cut\(count)"
        try disk.open(cut, .create).write(Array(bytes.prefix(count)), at: 0)
        #expect(throws: SnapshotError.self) { try SnapshotCheck.content(disk: disk, path: cut) }
      }
    }
  }

  @Test("what another than the named cluster signed is not believed, nor a statement with other content")
  func forgeries() throws {
    let model = WriteModel(seed: 6, count: 50)
    let spans = model.alive(at: model.last).map { Lifespan($0, to: .max) }
    let disk = SimulatedDisk()
    try Signer(cluster: "kv-other").write(spans, model.statement(at: model.last), to: "/other", on: disk)
    let (statement, seal) = try SnapshotCheck.content(disk: disk, path: "/other")
    #expect(throws: SnapshotError.self) { try SnapshotTrust(statement, seal, path: "/other") }

    let signer = try Signer()
    try signer.write(spans, model.statement(at: model.last), to: path, on: disk)
    var (claimed, good) = try SnapshotCheck.content(disk: disk, path: path)
    claimed.version = claimed.version.advanced(by: 1)
    #expect(throws: SnapshotError.self) { try SnapshotTrust(claimed, good, path: path) }
    good.certificate = try Signer().certificate.der
    #expect(throws: SnapshotError.self) {
      try SnapshotTrust(try SnapshotCheck.content(disk: disk, path: path).statement, good, path: path)
    }
    let client = try signer.authority.sign(
      try SigningRequest(key: signer.key), identity: .client(cluster: "kv-test", name: "eve", role: .admin))
    good.certificate = client.der
    #expect(throws: SnapshotError.self) {
      try SnapshotTrust(try SnapshotCheck.content(disk: disk, path: path).statement, good, path: path)
    }
  }

  @Test("every record has a proof that leads to the root; a record that was changed has none")
  func proofs() throws {
    let model = WriteModel(seed: 7, count: 120)
    let disk = SimulatedDisk()
    let spans = model.history(since: Version(rawValue: 200), at: model.last, changedOnly: false)
    try Signer().write(
      spans, model.statement(at: model.last, oldest: Version(rawValue: 200)), to: path, on: disk)
    let file = try SnapshotFile(disk: disk, path: path)
    for record in model.alive(at: model.last) {
      let proof = try #require(try SnapshotProof.make(for: record.key, at: model.last, in: file))
      #expect(proof.span.record == record && proof.root == file.statement.root)
      let forged = SnapshotProof(
        span: Lifespan(Record(key: record.key, version: record.version, value: record.value + [0]), to: .max),
        inclusion: proof.inclusion, statement: proof.statement)
      #expect(forged.root != file.statement.root)
    }
    #expect(try SnapshotProof.make(for: Key("absent"), at: model.last, in: file) == nil)
  }

  @Test("a full file and those of what changed after it are together what a full one would be; a gap is named")
  func chain() throws {
    let model = WriteModel(seed: 8, count: 300)
    let disk = SimulatedDisk()
    let signer = try Signer()
    let ends = [150, 400, 700].map { Version(rawValue: $0) } + [model.last]
    for history in [false, true] {
      let oldest = Version(rawValue: 120)
      var paths: [String] = []
      for (place, end) in ends.enumerated() {
        let since = place == 0 ? nil : ends[place - 1]
        let spans: [Lifespan]
        switch (history, since) {
        case (false, nil): spans = model.alive(at: end).map { Lifespan($0, to: .max) }
        case (false, let since?): spans = model.changes(since: since, at: end)
        case (true, nil): spans = model.history(since: oldest, at: end, changedOnly: false)
        case (true, let since?): spans = model.history(since: since, at: end, changedOnly: true)
        }
        paths.append("/\(history)-\(place)")
        try signer.write(
          spans, model.statement(at: end, oldest: history ? since ?? oldest : nil, since: since), to: paths[place],
          on: disk)
      }
      let merge = try SnapshotMerge(try SnapshotChain.open(paths, on: disk))
      var found: [Lifespan] = []
      while let span = try merge.next() { if span.record.kind == .value { found.append(span) } }
      let expected =
        history
        ? model.history(since: oldest, at: model.last, changedOnly: false)
        : model.alive(at: model.last).map { Lifespan($0, to: .max) }
      #expect(found == expected)
      let gap = #expect(throws: SnapshotError.self) {
        try SnapshotChain.open([paths[0], paths[2], paths[3]], on: disk)
      }
      #expect(gap.map { "\($0)".contains("the file of version 400 is missing") } == true)
      let headless = #expect(throws: SnapshotError.self) { try SnapshotChain.open([paths[1], paths[2]], on: disk) }
      #expect(headless.map { "\($0)".contains("the file of version 150 must go before it") } == true)
    }
  }

  @Test("between equal versions lies a file without records, with history and without; it goes anywhere into a chain")
  func quietDay() throws {
    let model = WriteModel(seed: 8, count: 300)
    let disk = SimulatedDisk()
    let signer = try Signer()
    let (quiet, oldest) = (Version(rawValue: 400), Version(rawValue: 120))
    try signer.write([], model.statement(at: quiet, since: quiet), to: "/quiet", on: disk)
    for history in [false, true] {
      let full =
        history
        ? model.history(since: oldest, at: quiet, changedOnly: false)
        : model.alive(at: quiet).map { Lifespan($0, to: .max) }
      let later =
        history
        ? model.history(since: quiet, at: model.last, changedOnly: true) : model.changes(since: quiet, at: model.last)
      try signer.write(
        full, model.statement(at: quiet, oldest: history ? oldest : nil), to: "/full-\(history)", on: disk)
      try signer.write(
        later, model.statement(at: model.last, oldest: history ? quiet : nil, since: quiet), to: "/later-\(history)",
        on: disk)
      for chain in [["/full-\(history)", "/quiet", "/quiet", "/later-\(history)"], ["/full-\(history)", "/quiet"]] {
        let merge = try SnapshotMerge(try SnapshotChain.open(chain, on: disk))
        let without = try SnapshotMerge(try SnapshotChain.open(chain.filter { $0 != "/quiet" }, on: disk))
        while let span = try without.next() { #expect(try merge.next() == span) }
        #expect(try merge.next() == nil)
      }
    }
    #expect(throws: SnapshotError.self) {
      try SnapshotChain.open(["/full-true", "/quiet", "/later-false"], on: disk)
    }
    let backwards = model.statement(at: quiet, since: Version(rawValue: 401))
    #expect(throws: ByteError.self) { try SnapshotStatement(decoding: backwards.encoded()) }
  }

  @Test("a file without records is a file")
  func empty() throws {
    let disk = SimulatedDisk()
    let model = WriteModel(seed: 1, count: 1)
    try Signer().write([], model.statement(at: Version(rawValue: 9)), to: path, on: disk)
    #expect(try SnapshotCheck.content(disk: disk, path: path).statement.records == 0)
    let file = try SnapshotFile(disk: disk, path: path)
    #expect(try file.get(Key("k"), at: Version(rawValue: 9)) == nil)
    #expect(try all(file.records(at: Version(rawValue: 9))).isEmpty)
  }
}
