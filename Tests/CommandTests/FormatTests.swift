import Bytes
import Testing

@testable import Commands

@Suite("Formats of records")
struct FormatTests {
  @Test("What a format writes, it reads back exactly, for any bytes", arguments: [RecordFormat.tsv, .json, .cdb, .nul])
  func identity(format: RecordFormat) throws {
    for seed in UInt64(0)..<40 {
      var random = SplitMix64(seed: seed)
      let records = (0..<50).map { _ in FormatTests.record(&random, withNul: format != .nul) }
      var bytes: [UInt8] = []
      for record in records { try format.append(record, to: &bytes) }
      format.appendEnd(to: &bytes)
      let input = try PipeInput(bytes)
      for record in records {
        #expect(try format.next(from: input.stream) == .record(record.key, record.value), "seed \(seed)")
      }
      #expect(try format.next(from: input.stream) == .end, "seed \(seed)")
    }
  }

  @Test("Any bytes are read without a crash, and reading ends", arguments: [RecordFormat.tsv, .json, .cdb, .nul])
  func anyBytes(format: RecordFormat) throws {
    for seed in UInt64(0)..<300 {
      var random = SplitMix64(seed: seed)
      var bytes: [UInt8] = []
      for _ in 0..<3 { try format.append(FormatTests.record(&random, withNul: format != .nul), to: &bytes) }
      format.appendEnd(to: &bytes)
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        if Bool.random(using: &random) {
          bytes[place] = .random(in: 0...255, using: &random)
        } else {
          bytes.remove(at: place)
        }
        if bytes.isEmpty { break }
      }
      let input = try PipeInput(bytes)
      var steps = 0
      reading: while true {
        steps += 1
        try #require(steps <= bytes.count + 2, "seed \(seed) doesn't end")
        switch try format.next(from: input.stream) {
        case .end, .broken: break reading
        case .record, .key, .malformed: continue
        }
      }
    }
  }

  @Test("keys are read back from every format; a deletion of a watch is a key, too")
  func readingKeys() throws {
    for format in RecordFormat.allCases {
      let text = try Self.written(format, "a\tb", "v")
      let input = try PipeInput(Array(text.utf8))
      switch try format.next(from: input.stream, needsValue: false) {
      case .key(let key), .record(let key, _): #expect(key == Key("a\tb"), "\(format)")
      case let other: Issue.record("\(format): \(other)")
      }
    }
    let deletion = #"{"version":"7","kind":"delete","key":"k"}"#
    #expect(JSONFormat.decode(Array(deletion.utf8)) == .key(Key("k")))
    #expect(JSONFormat.decode(Array(#"{"kind":"delete","key":"k","value":"v"}"#.utf8)).isMalformed)
    #expect(JSONFormat.decode(Array(#"{"kind":"put","key":"k","value":"v"}"#.utf8)) == .record(Key("k"), [118]))
    #expect(JSONFormat.decode(Array(#"{"key":"k"}"#.utf8)).isMalformed)
    #expect(JSONFormat.decode(Array(#"{"key":"k"}"#.utf8), needsValue: false) == .key(Key("k")))
  }

  @Test("tsv is one line a record, with tab, newline and backslash escaped")
  func tsv() throws {
    #expect(try Self.written(.tsv, "a\tb", "c\nd\\") == #"a\tb"# + "\t" + #"c\nd\\"# + "\n")
    #expect(TSVFormat.decode(Array("no tab".utf8)).isMalformed)
    #expect(TSVFormat.decode(Array("a\tb\tc".utf8)).isMalformed)
    #expect(TSVFormat.decode(Array("a\t\\q".utf8)).isMalformed)
    #expect(TSVFormat.decode(Array("\t".utf8)) == .record(Key([]), []))
  }

  @Test("A malformed line doesn't hide the next one, and a last line needs no newline")
  func recovery() throws {
    let input = try PipeInput(Array("a\t1\nbroken\nb\t2".utf8))
    #expect(try RecordFormat.tsv.next(from: input.stream) == .record(Key("a"), Array("1".utf8)))
    #expect(try RecordFormat.tsv.next(from: input.stream).isMalformed)
    #expect(try RecordFormat.tsv.next(from: input.stream) == .record(Key("b"), Array("2".utf8)))
    #expect(try RecordFormat.tsv.next(from: input.stream) == .end)
  }

  @Test("keys is the escaped key alone")
  func keys() throws {
    #expect(try Self.written(.keys, "a\nb", "value") == #"a\nb"# + "\n")
  }

  @Test("nul refuses a NUL within a key or value")
  func nul() throws {
    #expect(try Self.written(.nul, "a", "b") == "a\0b\0")
    for (key, value) in [("a\0", "b"), ("a", "\0")] {
      #expect(throws: CommandError.self) { try Self.written(.nul, key, value) }
    }
    #expect(try Self.read(.nul, "key") == [.broken("the input ends within a key")])
    #expect(try Self.read(.nul, "key\0value").last?.isBroken == true)
  }

  @Test("cdb is what cdbmake(1) reads, and shows when it was cut off")
  func cdb() throws {
    #expect(try Self.written(.cdb, "one", "Hello") == "+3,5:one->Hello\n\n")
    let whole = Array("+3,5:one->Hello\n\n".utf8)
    for length in 0..<whole.count {
      let input = try PipeInput(Array(whole[..<length]))
      var last = try RecordFormat.cdb.next(from: input.stream)
      if case .record = last { last = try RecordFormat.cdb.next(from: input.stream) }
      #expect(last.isBroken, "\(length) bytes")
    }
    for text in [
      "+3,5:one=>Hello\n\n", "+3,4:one->Hello\n\n", "+x,5:", "-3,5:one->Hello\n\n", "+3,5:one->Hello\n\nmore",
    ] {
      #expect(try Self.read(.cdb, text).last?.isBroken == true, "\(text)")
    }
    #expect(try Self.read(.cdb, "+4097,0:").last?.isBroken == true)
    #expect(try Self.read(.cdb, "+1,8388609:").last?.isBroken == true)
  }

  @Test("json carries text as text and other bytes as base64, and versions as strings")
  func json() throws {
    let text = Record(key: Key("k\"\n"), version: Version(rawValue: .max), value: Array("é\u{1}".utf8))
    var bytes: [UInt8] = []
    JSONFormat.append(text, to: &bytes)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"key":"k\"\n","value":"é\u0001","version":"18446744073709551615"}"# + "\n")
    bytes = []
    JSONFormat.append(Record(key: Key([0xff]), version: .zero, value: [0xc3]), to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == #"{"key_b64":"/w==","value_b64":"ww==","version":"0"}"# + "\n")
  }

  @Test(
    "json takes any object with a key and a value",
    arguments: [
      #"{"key":"a","value":"b"}"#, #" { "value" : "b" , "key" : "a" } "#, #"{"key":"\u0061","value_b64":"Yg=="}"#,
      #"{"x":[1,-2.5e3,{"y":null}],"key":"a","value":"b","version":"7","z":true}"#,
    ])
  func jsonAccepts(line: String) {
    #expect(JSONFormat.decode(Array(line.utf8)) == .record(Key("a"), Array("b".utf8)))
  }

  @Test("json joins surrogate pairs")
  func surrogates() {
    let decoded = JSONFormat.decode(Array(#"{"key":"\ud83d\ude00","value":""}"#.utf8))
    #expect(decoded == .record(Key("😀"), []))
  }

  @Test(
    "json refuses what isn't such an object",
    arguments: [
      "", "{}", "[]", #"{"key":"a"}"#, #"{"key":"a","value":1}"#, #"{"key":"a","value":"b"} x"#,
      #"{"key":"a","key":"b","value":"c"}"#, #"{"key":"a","key_b64":"YQ==","value":"c"}"#,
      #"{"key_b64":"?","value":"c"}"#, #"{"key_b64":"====","value":"c"}"#, #"{"key":"a","value_b64":"AAAA="}"#,
      #"{"key":"a","value_b64":"AAAA===="}"#, #"{"key":"a","value_b64":"AB=="}"#, #"{"key":"a","value_b64":"Yg"}"#,
      #"{"key":"\ud83d","value":""}"#, #"{"key":"\ude00","value":""}"#,
      "{\"key\":\"a\u{1}\",\"value\":\"\"}", #"{"key":"a","value":"b"#, #"{"key":"a","value":"b",}"#,
      #"{"key":"a","value":"b","x":nan}"#, #"{"key":"a","value":"b","x":"# + String(repeating: "[", count: 100_000),
    ])
  func jsonRefuses(line: String) {
    #expect(JSONFormat.decode(Array(line.utf8)).isMalformed)
  }

  @Test(
    "json refuses a kind that is neither put nor delete, in words that say which it takes",
    arguments: [
      (#""deleted""#, #""deleted""#), (#""DELETE""#, #""DELETE""#), (#""""#, #""""#), ("7", "7"), ("null", "null"),
      (#"["delete"]"#, #"["delete"]"#), (#"{"delete": {}}"#, #"{"delete": {}}"#),
      ("\"\(String(repeating: "x", count: 100))\"", "\"\(String(repeating: "x", count: 59))…"),
    ])
  func jsonKinds(kind: String, shown: String) {
    for rest in [#","value":"v"}"#, "}"] {
      let line = #"{"kind": \#(kind),"key":"k""# + rest
      let words = #"expected "put" or "delete" in the member kind, found \#(shown)"#
      #expect(JSONFormat.decode(Array(line.utf8)) == .malformed(words))
    }
  }

  @Test("Keys and values beyond the limits are refused by every format")
  func limits() throws {
    let key = String(repeating: "k", count: Limits.keyBytes.rawValue + 1)
    #expect(try Self.read(.tsv, "\(key)\tv\n").first?.isMalformed == true)
    #expect(try Self.read(.json, #"{"key":"\#(key)","value":""}"# + "\n").first?.isMalformed == true)
    #expect(
      try Self.read(.nul, "\(key)\0v\0a\0b\0").last == .record(Key("a"), Array("b".utf8)), "the next record is read")
  }

  private static func record(_ random: inout SplitMix64, withNul: Bool) -> Record {
    func bytes(_ most: Int) -> [UInt8] {
      let alphabet: [UInt8] = [0, 9, 10, 13, 34, 45, 58, 62, 92, 0x7f, 0x80, 0xc3, 0xa9, 0xff, 97]
      let isPlain = Bool.random(using: &random)
      return (0..<Int.random(in: 0...most, using: &random)).map { _ in
        let byte = isPlain ? alphabet.randomElement(using: &random) ?? 0 : .random(in: 0...255, using: &random)
        return byte == 0 && !withNul ? 1 : byte
      }
    }
    return Record(key: Key(bytes(40)), version: Version(rawValue: random.next()), value: bytes(300))
  }

  private static func written(_ format: RecordFormat, _ key: String, _ value: String) throws -> String {
    var bytes: [UInt8] = []
    try format.append(Record(key: Key(key), version: .zero, value: Array(value.utf8)), to: &bytes)
    format.appendEnd(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func read(_ format: RecordFormat, _ text: String) throws -> [DecodedRecord] {
    let input = try PipeInput(Array(text.utf8))
    var all: [DecodedRecord] = []
    while all.count < 10 {
      let next = try format.next(from: input.stream)
      if next == .end { break }
      all.append(next)
      if next.isBroken { break }
    }
    return all
  }
}

extension DecodedRecord {
  var isMalformed: Bool { if case .malformed = self { true } else { false } }
  var isBroken: Bool { if case .broken = self { true } else { false } }
}
