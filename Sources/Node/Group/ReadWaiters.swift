import Bytes

/// Reads that wait for proof that their replica still leads, and then for the log to be applied that far. Reads that
/// arrive between two drains share one proof.
struct ReadWaiters {
  private typealias Callback = (Bool) -> Void

  private var nextContext: UInt64 = 1
  private var open: UInt64?
  private var unconfirmed: [UInt64: [Callback]] = [:]
  private var confirmed: [(index: LogIndex, waiters: [Callback])] = []

  /// The number of reads that wait.
  var count: Int {
    unconfirmed.values.reduce(0) { $0 + $1.count } + confirmed.reduce(0) { $0 + $1.waiters.count }
  }

  /// Adds a read. Gives the context for which a proof must now be asked, or nil where one is about to be.
  mutating func join(_ done: @escaping (Bool) -> Void) -> UInt64? {
    if let open {
      unconfirmed[open, default: []].append(done)
      return nil
    }
    let context = nextContext
    nextContext += 1
    open = context
    unconfirmed[context] = [done]
    return context
  }

  /// Later reads need a proof of their own.
  mutating func close() { open = nil }

  /// The proof is there: reads of the context may be served from `index` on.
  mutating func confirmed(_ context: UInt64, index: LogIndex) {
    guard let waiters = unconfirmed.removeValue(forKey: context) else { return }
    confirmed.append((index, waiters))
  }

  /// The proof failed.
  mutating func reject(_ context: UInt64) {
    if open == context { open = nil }
    for done in unconfirmed.removeValue(forKey: context) ?? [] { done(false) }
  }

  /// Lets go of the confirmed reads whose index is applied.
  mutating func release(applied: LogIndex) {
    guard !confirmed.isEmpty else { return }
    let ready = confirmed.filter { $0.index <= applied }
    confirmed.removeAll { $0.index <= applied }
    for entry in ready { for done in entry.waiters { done(true) } }
  }
}
