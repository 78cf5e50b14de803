/// What a tree of losers puts in order.
protocol Merged {
  /// Negative, zero or positive as this comes before, at or after another.
  func order(to other: Self) -> Int
}

/// Merges sorted sources: a tournament in which each inner place keeps its loser, so that replacing the winner costs
/// one comparison a level (Knuth, The Art of Computer Programming, vol. 3, §5.4.1, "tree of losers").
///
/// It holds the head of each source. A source that has ended has nil for a head; it loses against every other. Equal
/// heads come in the order of their sources.
struct LoserTree<Head: Merged> {
  private var heads: [Head?]
  /// The inner places, from 1; a place's children are 2i and 2i+1, and source s is the leaf `heads.count + s`.
  private var losers: [Int]
  private var champion: Int

  /// A tree over the first heads of its sources.
  init(_ heads: [Head?]) {
    self.heads = heads
    losers = Array(repeating: 0, count: heads.count)
    champion = 0
    guard !heads.isEmpty else { return }
    var winners = Array(repeating: 0, count: heads.count) + Array(heads.indices)
    for place in stride(from: heads.count - 1, to: 0, by: -1) {
      let (left, right) = (winners[2 * place], winners[2 * place + 1])
      (winners[place], losers[place]) = beats(left, right) ? (left, right) : (right, left)
    }
    champion = winners[1]
  }

  /// The source whose head is the first of all; nil where every source has ended.
  var winner: Int? { heads.isEmpty || heads[champion] == nil ? nil : champion }

  /// Gives the winner its next head.
  mutating func replaceWinner(with head: Head?) {
    guard !heads.isEmpty else { return }
    heads[champion] = head
    var place = (champion + heads.count) / 2
    while place > 0 {
      if beats(losers[place], champion) { swap(&losers[place], &champion) }
      place /= 2
    }
  }

  private func beats(_ left: Int, _ right: Int) -> Bool {
    guard let a = heads[left] else { return false }
    guard let b = heads[right] else { return true }
    let order = a.order(to: b)
    return order < 0 || order == 0 && left < right
  }
}
