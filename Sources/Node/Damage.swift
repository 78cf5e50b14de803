import Bytes
import Log
import Store
import Wire

/// The stored bytes that this node found unreadable, for `kv status`.
struct Damage {
  /// Each finding once, in words: of the log at the start, of tables as reads meet it.
  private(set) var found: [String] = []
  /// How many of them are in tables.
  private(set) var inTables = 0

  /// Nothing, or what the log was found to have lost when it was opened.
  init(inLog damage: [LogDamage] = []) {
    found = damage.prefix(Limits.damageListed).map(\.description)
  }

  /// Notes what a read met.
  mutating func note(_ error: StoreError) {
    guard case .corrupt = error, found.count < Limits.damageListed, !found.contains("\(error)") else { return }
    found.append("\(error)")
    inTables += 1
  }
}

extension Node {
  /// The answer to a read that a store could not do. What is damaged is refused and reported; all else goes on.
  func failure(_ error: StoreError, of group: GroupID? = nil) -> WireResponse.OneOf_Body {
    if case .notRetained(let version, let floor) = error { return notRetained(version, floor: floor) }
    damage.note(error)
    return WireFailure.because(.damaged, "\(group.map { "partition \($0) on " } ?? "")node \(id): \(error)")
  }
}
