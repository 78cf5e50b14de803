/// How far a store's writes are ahead of its flushes and compactions, and what should be done about it.
public enum WritePressure: Equatable, Sendable {
  /// Nothing.
  case none
  /// Writes should be taken more slowly: keys and values of at most so many bytes a second.
  case slow(bytesPerSecond: Int)
  /// No write should be taken until a job has been installed.
  case stop

  /// The rate where slowing down begins, and the lowest.
  private static let rates = (first: Double(64 << 20), last: Double(2 << 20))

  /// The pressure at a point on the way from where writes are slowed down (0) to where they stop (1).
  init(strain: Double) {
    if strain >= 1 {
      self = .stop
    } else if strain > 0 {
      let left = 1 - strain
      self = .slow(bytesPerSecond: Int(max(Self.rates.last, Self.rates.first * left * left)))
    } else {
      self = .none
    }
  }

  /// The more pressing of two.
  public func worse(_ other: WritePressure) -> WritePressure {
    switch (self, other) {
    case (.stop, _), (_, .none): self
    case (_, .stop), (.none, _): other
    case (.slow(let one), .slow(let two)): one <= two ? self : other
    }
  }
}
