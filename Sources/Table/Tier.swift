/// Which of the two kinds of tables a table is (DESIGN §6).
public enum Tier: UInt8, Sendable {
  /// Records that nothing newer has replaced, as far as the table knows: at most one for each key.
  case current = 0
  /// Records that something has replaced, and which know when: any number for each key, in runs.
  case history = 1
}
