/// How many replicas each node may hold in all: the floor to the ceiling of its share.
///
/// The share is the weighted one wherever the zones leave room for some count between its floor and ceiling on every
/// node. Where they don't, a zone that must hold more than its weight asks for, or can't hold as much, gets what it
/// must or can, and weights divide that inside it and the rest among the others. Both are water levels: a node's share
/// is weight × level, at most one replica of each partition.
///
/// These bounds can always be met, together with those of the zones: give each node the same fraction of each
/// partition, share / partitions, and every bound holds; the bounds are integers, so by the integrality of flows a
/// placement of whole replicas meets them too.
struct NodeQuota {
  /// For each node, the floor and ceiling that the placement keeps to.
  let bounds: [ClosedRange<Int>]
  /// For each node, the floor and ceiling of its share by weight alone.
  let byWeight: [ClosedRange<Int>]

  /// The quotas of nodes with positive weights, in the order of the spread's nodes.
  init(weights: [Int64], zones: ZoneSpread, partitions: Int) {
    let cap = Int128(partitions)
    let total = cap * Int128(zones.replicas)
    let level = Level(filling: weights, cap: cap, total: total)
    byWeight = weights.map { level.share(weight: $0, cap: cap) }
    guard !NodeQuota.fits(byWeight, zones, partitions) else {
      bounds = byWeight
      return
    }
    let levels = Level.perZone(weights: weights, zones: zones, cap: cap, total: total)
    bounds = weights.indices.map {
      levels[zones.zoneOfNode[$0]].share(weight: weights[$0], cap: cap)
    }
  }

  /// Whether some counts within the bounds, and within those of every zone, add up to all replicas.
  private static func fits(_ bounds: [ClosedRange<Int>], _ zones: ZoneSpread, _ partitions: Int)
    -> Bool
  {
    var least = 0
    var most = 0
    for (zone, nodes) in zones.nodes.enumerated() {
      let low = max(bounds[nodes].reduce(0) { $0 + $1.lowerBound }, partitions * zones.low[zone])
      let high = min(bounds[nodes].reduce(0) { $0 + $1.upperBound }, partitions * zones.high[zone])
      guard low <= high else { return false }
      least += low
      most += high
    }
    return (least...most).contains(partitions * zones.replicas)
  }
}

/// Replicas per unit of weight, as an exact fraction. 128 bits hold the products of every cluster within `Limits`.
private struct Level: Comparable {
  let numerator: Int128
  let denominator: Int128

  init(_ numerator: Int128, _ denominator: Int128) {
    self.numerator = numerator
    self.denominator = denominator
  }

  static func < (left: Level, right: Level) -> Bool {
    left.numerator * right.denominator < right.numerator * left.denominator
  }

  static func == (left: Level, right: Level) -> Bool {
    left.numerator * right.denominator == right.numerator * left.denominator
  }

  /// The lowest level at which nodes with these weights, none above `cap`, hold `total`.
  init(filling weights: some Sequence<Int64>, cap: Int128, total: Int128) {
    let descending = weights.map { Int128($0) }.sorted(by: >)
    var rest = total
    var weight = descending.reduce(0, +)
    var lowest = Level(0, 1)
    for next in descending {
      guard next * rest >= cap * weight else { break }
      lowest = Level(cap, next)
      rest -= cap
      weight -= next
    }
    self = weight == 0 ? lowest : Level(rest, weight)
  }

  /// The floor and ceiling of what a node of this weight holds.
  func share(weight: Int64, cap: Int128) -> ClosedRange<Int> {
    let product = Int128(weight) * numerator
    let floor = product / denominator
    let ceiling = (product + denominator - 1) / denominator
    return Int(min(cap, floor))...Int(min(cap, ceiling))
  }

  /// For each zone the level at which it holds what it must, what it can, or, between the two, the level that all
  /// zones of that kind share, so that they hold `total` together.
  static func perZone(weights: [Int64], zones: ZoneSpread, cap: Int128, total: Int128) -> [Level] {
    let limits = zones.nodes.enumerated().map { zone, nodes in
      let low = Level(filling: weights[nodes], cap: cap, total: cap * Int128(zones.low[zone]))
      let high = Level(filling: weights[nodes], cap: cap, total: cap * Int128(zones.high[zone]))
      return low...high
    }
    // What all hold is piecewise linear in the common level, with bends only here.
    let bends =
      (limits.flatMap { [$0.lowerBound, $0.upperBound] } + weights.map { Level(cap, Int128($0)) })
      .sorted()
    var below = 0
    var above = bends.count
    while above - below > 1 {
      let middle = (below + above) / 2
      let line = Line(at: bends[middle], limits, weights, zones, cap)
      if line.isAtMost(total, at: bends[middle]) { below = middle } else { above = middle }
    }
    let line = Line(at: bends[below], limits, weights, zones, cap)
    let common = line.slope == 0 ? bends[below] : Level(total - line.fixed, line.slope)
    return limits.map { min(max(common, $0.lowerBound), $0.upperBound) }
  }

  /// What all nodes hold from one bend up to the next: `fixed + slope × level`.
  private struct Line {
    var fixed: Int128 = 0
    var slope: Int128 = 0

    init(
      at bend: Level, _ limits: [ClosedRange<Level>], _ weights: [Int64], _ zones: ZoneSpread,
      _ cap: Int128
    ) {
      for (zone, nodes) in zones.nodes.enumerated() {
        if bend < limits[zone].lowerBound {
          fixed += cap * Int128(zones.low[zone])
        } else if bend >= limits[zone].upperBound {
          fixed += cap * Int128(zones.high[zone])
        } else {
          for weight in weights[nodes].lazy.map({ Int128($0) }) {
            if Level(cap, weight) <= bend { fixed += cap } else { slope += weight }
          }
        }
      }
    }

    func isAtMost(_ total: Int128, at bend: Level) -> Bool {
      fixed * bend.denominator + slope * bend.numerator <= total * bend.denominator
    }
  }
}
