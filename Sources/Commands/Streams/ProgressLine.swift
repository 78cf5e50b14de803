/// A line on the terminal that says how far something is: only on a terminal, only after a second, at most ten times
/// a second.
struct ProgressLine {
  private let isWanted: Bool
  private let began = ProcessFacts.steadyMilliseconds
  private var last: UInt64 = 0
  private var isShown = false

  /// A line that stays hidden if the user asked for silence or isn't there.
  init(quiet: Bool) {
    isWanted = !quiet && StandardError.isTerminal
  }

  /// Shows how far it is, if it is time to.
  mutating func show(_ words: @autoclosure () -> String) {
    guard isWanted else { return }
    let now = ProcessFacts.steadyMilliseconds
    guard now - began >= 1000, now - last >= 100 else { return }
    last = now
    isShown = true
    StandardError.write("\r\u{1b}[K\(words())")
  }

  /// Takes the line away.
  mutating func clear() {
    if isShown { StandardError.write("\r\u{1b}[K") }
    isShown = false
  }
}
