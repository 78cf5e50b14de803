import Bytes

/// What the wall clocks of all members say together: the oracle must not follow one that has gone astray, for versions
/// that ran ahead never come back (DESIGN §6).
///
/// A pure structure. What a member said is kept as its distance from our steady clock, so that it outlives a jump of our
/// own wall clock.
struct ClusterTime {
  fileprivate struct Reading {
    /// The member's wall clock less our steady one, in milliseconds.
    let distance: Int64
    let heardAt: UInt64
  }

  /// No clock shows more, far from where sums of such times could overflow.
  private static let latest = UInt64(1) << 61

  private var readings: [NodeID: Reading] = [:]
  /// The distance of the time that was given out last from our steady clock.
  private var followed: Int64?
  /// Since when the clocks have shown a time too far ahead of that, and the least distance that they showed since.
  private var doubted: (since: UInt64, distance: Int64)?

  /// A member's wall clock, in milliseconds since 1970, when our steady clock showed `steady` milliseconds.
  mutating func heard(_ member: NodeID, wall: UInt64, steady: UInt64) {
    guard wall <= ClusterTime.latest else { return }
    readings[member] = Reading(distance: Int64(wall) - Int64(steady), heardAt: steady)
  }

  /// The number of members that were heard from lately.
  func count(steady: UInt64) -> Int { readings.values.count { $0.isFresh(steady) } }

  /// Our own wall clock, unless it is further from the members' median than `Limits.clockErrorMilliseconds`: then the
  /// median. Of an even number the earlier of the two in the middle: too early a clock does no harm.
  func wall(own: UInt64, steady: UInt64) -> UInt64 {
    let median = median(own: own, steady: steady)
    return ClusterTime.isAstray(Int64(clamping: own), from: median) ? UInt64(max(0, median)) : own
  }

  /// The members whose clocks are that far from the median, and by how many milliseconds they are ahead of it. Nil
  /// stands for this node.
  func astray(own: UInt64, steady: UInt64) -> [(member: NodeID?, ahead: Int64)] {
    let median = median(own: own, steady: steady)
    let others = readings.filter { $0.value.isFresh(steady) }.sorted { $0.key < $1.key }
    return ([(nil, Int64(clamping: own))] + others.map { ($0.key, $0.value.distance + Int64(steady)) })
      .filter { ClusterTime.isAstray($0.1, from: median) }
      .map { ($0.0, $0.1 - median) }
  }

  private func median(own: UInt64, steady: UInt64) -> Int64 {
    let others = readings.values.filter { $0.isFresh(steady) }.map { $0.distance + Int64(steady) }
    let all = (others + [Int64(clamping: own)]).sorted()
    return all[(all.count - 1) / 2]
  }

  private static func isAstray(_ wall: Int64, from median: Int64) -> Bool {
    (wall - median).magnitude > Limits.clockErrorMilliseconds
  }

  /// The time to give versions by: that of `wall`, but a leap ahead is followed only once it has lasted for longer than a
  /// reading may be out of date, for two clocks may go astray one shortly after the other; and only as far as it has
  /// lasted, for a third may go further astray at the end of that.
  mutating func follow(own: UInt64, steady: UInt64) -> UInt64 {
    var distance = Int64(clamping: wall(own: own, steady: steady)) - Int64(steady)
    if let followed, isLeap(from: followed, to: distance) {
      let since = doubted?.since ?? steady
      let least = min(distance, doubted?.distance ?? distance)
      doubted = (since, least)
      if steady - since < Limits.clockDoubtMilliseconds { return UInt64(max(0, followed + Int64(steady))) }
      doubted = nil
      if isLeap(from: least, to: distance) { (doubted, distance) = ((steady, distance), least) }
    } else {
      doubted = nil
    }
    followed = distance
    return UInt64(max(0, distance + Int64(steady)))
  }

  private func isLeap(from distance: Int64, to other: Int64) -> Bool {
    other > distance + Int64(Limits.clockErrorMilliseconds)
  }
}

extension ClusterTime.Reading {
  fileprivate func isFresh(_ steady: UInt64) -> Bool { heardAt + Limits.clockMemoryMilliseconds >= steady }
}
