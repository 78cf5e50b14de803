/// Which peer a request goes to next, and after what rest.
///
/// Peers are asked one after the other without a rest, each once a round and a few a round; then the client rests,
/// longer each time. So one dead node costs no waiting, and a cluster in an election isn't hammered.
struct Route {
  private var asked: [String] = []
  private var excluded: [String] = []
  private var sinceRest = 0
  private var nextRest = ClientLimits.firstRest

  /// The next stop of a route.
  struct Stop: Equatable {
    let address: String
    /// The milliseconds to wait first.
    let rest: UInt64
    /// Whether all peers were asked before.
    var isAgain = false
  }

  /// Where to go: to the preferred peer unless it was asked this round, else to the first candidate that was not. A
  /// round begins at the preferred peer. Nil where all of them are excluded.
  mutating func next(preferred: String?, candidates: () -> [String]) -> Stop? {
    if sinceRest < ClientLimits.attemptsPerRound {
      if let preferred, isFresh(preferred) { return go(to: preferred) }
      if let fresh = candidates().first(where: isFresh) { return go(to: fresh) }
    }
    sinceRest = 0
    defer { nextRest = min(2 * nextRest, ClientLimits.longestRest) }
    let usable = candidates().filter { !excluded.contains($0) }
    let isAgain = usable.allSatisfy(asked.contains)
    if isAgain { asked = [] }
    if let preferred, !excluded.contains(preferred) { return go(to: preferred, rest: nextRest, isAgain: isAgain) }
    return usable.first(where: isFresh).map { go(to: $0, rest: nextRest, isAgain: isAgain) }
  }

  /// Never goes to this peer again.
  mutating func exclude(_ address: String) { excluded.append(address) }

  private func isFresh(_ address: String) -> Bool {
    !asked.contains(address) && !excluded.contains(address)
  }

  private mutating func go(to address: String, rest: UInt64 = 0, isAgain: Bool = false) -> Stop {
    asked.append(address)
    sinceRest += 1
    // Between half and all of the rest, so that clients don't return in step.
    return Stop(address: address, rest: rest == 0 ? 0 : UInt64.random(in: (rest + 1) / 2...rest), isAgain: isAgain)
  }
}
