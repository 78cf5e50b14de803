import Bytes
import Table
import Testing

@testable import Store

@Suite struct MemtableTests {
  private func walk(_ memtable: Memtable, reverse: Bool, from start: Record? = nil) -> [Record] {
    let source = MemtableSource(memtable, isReverse: reverse)
    if let start {
      start.key.bytes.withRawBytes { source.seek($0, start.version) }
    } else {
      source.seek(nil, .max)
    }
    var records: [Record] = []
    while source.isValid {
      records.append(source.view.record)
      source.advance()
    }
    return records
  }

  private func digest(of records: [Record]) -> RecordDigest {
    var digest = RecordDigest.zero
    for record in records { record.withView { digest.add($0) } }
    return digest
  }

  @Test("a record that takes the place of an earlier takes its place in the sum too")
  func replacedRecord() {
    let memtable = Memtable()
    let records = [UInt8(1), 2].map { Record(key: Key("k"), version: Version(rawValue: 7), value: [$0]) }
    for record in records { record.withView { memtable.insert($0) } }
    #expect(walk(memtable, reverse: false) == [records[1]])
    #expect(memtable.digest == digest(of: [records[1]]))
  }

  /// Keys that share more or less than a word, in several orders of arrival.
  private func key(_ number: Int, _ kind: UInt64) -> Key {
    switch kind % 5 {
    case 0: Key("\(number)")
    case 1: Key("a long common prefix/\(number)")
    case 2: Key("a prefix longer than any node sets apart of its keys/\(number)")
    case 3: Key(["", "a", "a prefix", "a prefix that ", "b", "a prefix that few share/"][number % 6] + "\(number / 6)")
    default: Key([UInt8](repeating: 0, count: number % 20) + [UInt8(number % 3)])
    }
  }

  @Test(
    "records in any order of arrival come out sorted, both ways, and are found at any version",
    arguments: 0..<15 as Range<UInt64>)
  func model(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let memtable = Memtable()
    var expected: [Key: [Record]] = [:]
    let count = 6000
    for number in 0..<count {
      let place = [number, count - number, Int.random(in: 0..<count, using: &random)][Int(seed / 5)]
      let key = key(place, seed)
      let record = Record(key: key, version: Version(rawValue: UInt64(number)), value: [UInt8(number & 255)])
      record.withView { memtable.insert($0) }
      expected[key, default: []].insert(record, at: 0)
    }
    let sorted = expected.keys.sorted().flatMap { expected[$0] ?? [] }
    #expect(memtable.count == count)
    #expect(memtable.digest == digest(of: sorted), "seed \(seed)")
    #expect(walk(memtable, reverse: false) == sorted, "seed \(seed)")
    #expect(walk(memtable, reverse: true) == sorted.reversed(), "seed \(seed)")
    for _ in 0..<300 {
      let key = key(Int.random(in: 0...count, using: &random), seed)
      let version = Version(rawValue: UInt64.random(in: 0...UInt64(count), using: &random))
      let found = key.bytes.withRawBytes { memtable.get($0, at: version)?.record }
      #expect(found == expected[key]?.first { $0.version <= version }, "seed \(seed)")
    }
    for _ in 0..<5 {
      let start = sorted[Int.random(in: sorted.indices, using: &random)]
      let at = sorted.firstIndex(of: start) ?? 0
      #expect(walk(memtable, reverse: false, from: start) == Array(sorted[at...]), "seed \(seed)")
      #expect(walk(memtable, reverse: true, from: start) == sorted[..<at].reversed(), "seed \(seed)")
    }
  }

  @Test("a record with the key and version of an earlier one takes its place")
  func replacement() {
    let memtable = Memtable()
    for value in 0..<200 as Range<UInt8> {
      let record = Record(key: Key("k\(value % 100)"), version: Version(rawValue: 1), value: [value])
      record.withView { memtable.insert($0) }
    }
    #expect(memtable.count == 100)
    #expect(walk(memtable, reverse: false).allSatisfy { $0.value[0] >= 100 })
  }

  @Test("an empty memtable costs less than 4 KiB, and large values keep their bytes")
  func memory() {
    let memtable = Memtable()
    #expect(memtable.byteCount < 4096)
    #expect(walk(memtable, reverse: false).isEmpty && walk(memtable, reverse: true).isEmpty)
    let large = Record(key: Key("l"), version: .max, value: [UInt8](repeating: 3, count: Limits.valueBytes.rawValue))
    large.withView { memtable.insert($0) }
    #expect(walk(memtable, reverse: false) == [large])
    #expect(memtable.byteCount < large.value.count + 4096)
  }
}
