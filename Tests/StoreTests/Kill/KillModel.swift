import Bytes
import Table

@testable import Store

/// What a store must hold once so many records of the plan were written.
struct KillModel {
  private var numbers: [Key: [UInt64]] = [:]
  private(set) var count: UInt64 = 0

  mutating func grow(to count: UInt64) {
    while self.count < count {
      self.count += 1
      numbers[KillPlan.key(self.count), default: []].append(self.count)
    }
  }

  /// The number of the record of a key that is the newest at a version.
  private func newest(_ numbers: [UInt64], _ version: UInt64) -> UInt64? {
    var low = 0
    var high = numbers.count
    while low < high {
      let middle = (low + high) / 2
      if numbers[middle] <= version { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? numbers[low - 1] : nil
  }

  /// The records alive at a version.
  func live(at version: UInt64) -> [Record] {
    numbers.sorted { $0.key < $1.key }.compactMap { _, numbers in
      newest(numbers, version).map(KillPlan.record).flatMap(\.ifValue)
    }
  }

  /// What is wrong with a store.
  func faults(of store: PartitionStore, _ random: inout SplitMix64) throws -> [String] {
    var faults: [String] = []
    let floor = store.retention.floor.rawValue
    var versions = store.retention.pins.map(\.rawValue) + [floor, count]
    for _ in 0..<3 where floor < count { versions.append(UInt64.random(in: floor...count, using: &random)) }
    for version in versions where version > 0 && store.retention.holds(Version(rawValue: version)) {
      let expected = live(at: version)
      if try store.records(at: Version(rawValue: version)) != expected {
        faults.append("a range at \(version) is wrong")
      }
      let backwards = try store.records(at: Version(rawValue: version), reverse: true)
      if backwards != expected.reversed() { faults.append("a range backwards at \(version) is wrong") }
      for _ in 0..<20 {
        let key = KillPlan.key(random.next())
        let found = try store.get(key, at: Version(rawValue: version))?.ifValue
        let wanted = (numbers[key] ?? []).isEmpty ? nil : newest(numbers[key] ?? [], version).map(KillPlan.record)
        if found != wanted?.ifValue { faults.append("\(Escaping.text(key.bytes)) at \(version) is wrong") }
      }
    }
    return faults
  }
}
