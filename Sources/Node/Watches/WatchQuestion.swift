import Bytes
import HashRing
import Store
import Wire

/// Which changes a request wants.
struct WatchQuestion {
  let after: Version
  /// Zero: whether there are any.
  let through: Version
  let lower: Key?
  let upper: Key?
  let credit: Int

  init(_ request: WireWatchRequest) {
    after = Version(rawValue: request.after)
    through = Version(rawValue: request.through)
    lower = request.min.isEmpty ? nil : Key(request.min.array)
    upper = request.bounded ? Key(request.max.array) : nil
    credit = min(max(Int(request.credit), 1), Limits.changesCredit.rawValue)
  }

  private init(_ other: WatchQuestion, through: Version, credit: Int) {
    after = other.after
    self.through = through
    lower = other.lower
    upper = other.upper
    self.credit = credit
  }

  /// The same with a share of the credit.
  func shared(among count: Int) -> WatchQuestion {
    WatchQuestion(
      self, through: through, credit: max(credit / max(1, count), min(credit, Limits.changesShare.rawValue)))
  }

  /// The question whether there is any change at all.
  var asWhetherAny: WatchQuestion { WatchQuestion(self, through: .max, credit: 1) }

  /// Whether a key is wanted.
  func includes(_ key: ArraySlice<UInt8>) -> Bool {
    if let lower, key.lexicographicallyPrecedes(lower.bytes) { return false }
    if let upper, !key.lexicographicallyPrecedes(upper.bytes) { return false }
    return true
  }

  /// The same for a store.
  var scan: ChangeScan.Query {
    ChangeScan.Query(after: after, through: through, lower: lower, upper: upper, credit: credit)
  }
}

/// Changes of one partition in the order of their versions.
struct ChangePart {
  var changes: [Record] = []
  /// All wanted changes up to here are among them.
  var through: Version
}
