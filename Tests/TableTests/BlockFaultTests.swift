import Bytes
import Testing

@testable import Table

@Suite struct BlockFaultTests {
  /// An entry without a version's variety: kind, shared, unshared, value length, version, then `rest`.
  private func entry(_ kind: UInt8, _ lengths: [UInt8], _ rest: String = "") -> [UInt8] {
    [kind] + lengths + [UInt8](repeating: 0, count: 8) + Array(rest.utf8)
  }

  /// A payload of entries with restart points at these offsets.
  private func payload(_ entries: [[UInt8]], restarts: [UInt32] = [0], prefix: String = "") -> [UInt8] {
    var writer = ByteWriter()
    for entry in entries { writer.raw(entry) }
    for _ in restarts { writer.u64(0) }
    for restart in restarts { writer.u32(restart) }
    writer.raw(Array(prefix.utf8))
    writer.u16(UInt16(prefix.utf8.count))
    writer.u32(UInt32(restarts.count))
    return writer.bytes
  }

  private func fault(_ payload: [UInt8], tier: Tier? = .current) -> Int? {
    payload.withRawBytes { BlockEntries.firstFault($0, tier: tier)?.offset }
  }

  @Test("a span that reaches below version 0 or beyond the last, or lies where none may, is a fault")
  func spans() {
    func spanned(_ kind: UInt8, version: UInt64, _ span: [UInt8]) -> [UInt8] {
      var writer = ByteWriter()
      writer.raw([kind, 0, 1, 0])
      writer.u64(version)
      writer.raw(span + [7])
      return payload([writer.bytes])
    }
    #expect(fault(spanned(3, version: 9, [9])) == nil)
    #expect(fault(spanned(2, version: 9, [9])) == nil)
    #expect(fault(spanned(3, version: 9, [10])) == 0)
    #expect(fault(spanned(3, version: 9, [0])) == 0)
    #expect(fault(spanned(3, version: 9, [9]), tier: nil) == 0)
    #expect(fault(spanned(3, version: 9, [9]), tier: .history) == nil)
    #expect(fault(spanned(2, version: 9, [9]), tier: .history) == 0)
    #expect(fault(spanned(1, version: 9, []), tier: .history) == 0)
    #expect(fault(spanned(3, version: .max - 1, [1]), tier: .history) == nil)
    #expect(fault(spanned(3, version: .max - 1, [2]), tier: .history) == 0)
    let longest = [UInt8](repeating: 0xff, count: 9)
    #expect(fault(spanned(3, version: .max, longest + [1])) == nil)
    #expect(fault(spanned(3, version: .max, longest + [2])) == 0)
    #expect(fault(spanned(3, version: .max, longest + [0xff, 1])) == 0)
  }

  @Test("whole payloads have no fault")
  func whole() {
    #expect(fault(payload([], restarts: [])) == nil)
    #expect(fault(payload([entry(1, [0, 1, 1], "ab")])) == nil)
    #expect(fault(payload([entry(1, [0, 1, 1], "ab"), entry(0, [1, 1, 0], "c")], prefix: "p")) == nil)
    #expect(fault(payload([entry(1, [0, 1, 1], "ab"), entry(0, [0, 1, 0], "c")], restarts: [0, 14])) == nil)
  }

  @Test("an entry that reaches beyond its block is a fault, by each of its lengths")
  func reach() {
    let whole = entry(1, [0, 1, 1], "ab")
    #expect(fault(payload([whole, entry(1, [0, 2, 0], "c")])) == 14)
    #expect(fault(payload([whole, entry(1, [0, 1, 1], "c")])) == 14)
    #expect(fault(payload([whole, entry(1, [0, 1, 5], "cd")])) == 14)
    #expect(fault(payload([whole, entry(1, [0, 0xff, 0x7f, 1], "cd")])) == 14)
    #expect(fault(payload([whole, Array(entry(1, [0, 0, 0]).dropLast())])) == 14)
    #expect(fault(payload([whole, entry(1, [0xff, 0xff, 0xff, 0xff, 1, 0, 0], "cd")])) == 14)
  }

  @Test("an entry that shares more than there is, an unknown kind, or a tombstone with a value is a fault")
  func entries() {
    let whole = entry(1, [0, 1, 1], "ab")
    #expect(fault(payload([whole, entry(1, [2, 1, 0], "c")])) == 14)
    #expect(fault(payload([entry(1, [1, 1, 0], "c")])) == 0)
    #expect(fault(payload([entry(4, [0, 1, 0], "c")])) == 0)
    #expect(fault(payload([entry(0, [0, 1, 1], "cd")])) == 0)
    let long = String(repeating: "k", count: 4096)
    #expect(fault(payload([entry(1, [0, 0x80, 0x20, 0], long)])) == nil)
    #expect(fault(payload([entry(1, [0, 0x80, 0x20, 0], long)], prefix: "p")) == 0)
  }

  @Test("a restart point that is no entry's, shares bytes, or is missing for too long is a fault")
  func restarts() {
    let whole = entry(1, [0, 1, 1], "ab")
    let trailer = 14 * 2
    #expect(fault(payload([whole, whole], restarts: [0, 13])) == trailer + 16 + 4)
    #expect(fault(payload([whole, whole], restarts: [0, 28])) == trailer + 16 + 4)
    #expect(fault(payload([whole, whole], restarts: [])) == 0)
    #expect(fault(payload([whole, whole], restarts: [14])) == 0)
    #expect(fault(payload([whole, entry(1, [1, 1, 0], "c")], restarts: [0, 14])) == 14)
    #expect(fault(payload(Array(repeating: whole, count: 64))) == nil)
    #expect(fault(payload(Array(repeating: whole, count: 65))) == 64 * 14)
  }

  @Test("a trailer that doesn't fit its payload is a fault")
  func trailer() {
    for count in 0..<6 { #expect(fault([UInt8](repeating: 0, count: count)) != nil) }
    var bytes = payload([entry(1, [0, 1, 1], "ab")])
    bytes[bytes.count - 1] = 0xff
    #expect(fault(bytes) == bytes.count - 6)
    bytes = payload([entry(1, [0, 1, 1], "ab")])
    bytes[bytes.count - 6] = 0xff
    #expect(fault(bytes) == bytes.count - 6)
  }
}
