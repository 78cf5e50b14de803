import Bytes

/// What happened in a world: always as one number, so that two runs can be compared, and as words where they are wanted.
public struct Trace {
  /// Over everything that was noted, in order.
  public private(set) var hash: UInt64 = 0x6b76
  /// The number of events noted.
  public private(set) var events = 0
  /// Whether words are kept.
  public var keepsWords = false
  /// The words, in order; the oldest are dropped when there are too many.
  public private(set) var lines: [String] = []
  private static let limit = 2_000_000

  /// Notes numbers that tell one history from another.
  mutating func note(_ numbers: UInt64...) {
    for number in numbers { hash = SplitMix64.mix(hash ^ number) }
    events += 1
  }

  /// Notes words; `time` is the world's, in nanoseconds.
  mutating func say(at time: UInt64, _ words: @autoclosure () -> String) {
    guard keepsWords, lines.count < Trace.limit else { return }
    let milliseconds = "\(time / 1_000_000)"
    let padded = String(repeating: " ", count: max(0, 8 - milliseconds.count)) + milliseconds
    lines.append("\(padded).\(time / 100_000 % 10) ms  \(words())")
  }
}
