import Bytes
import Table

/// Finds the runs of history that were alive at a version: an interval tree laid out in an array sorted by the start of
/// the intervals, in which every middle element also knows the latest end in its part (Cormen et al., "Introduction to
/// Algorithms", section on interval trees).
struct LifeIndex: Sendable {
  private let runs: [FileRun]
  private var bounds: ContiguousArray<Bounds>

  private struct Bounds {
    /// Alive from here …
    let from: UInt64
    /// … up to before here.
    let to: UInt64
    /// The latest end in the part of the array of which this is the middle.
    var latest: UInt64
  }

  init(_ unsorted: [FileRun]) {
    runs = unsorted.sorted { $0.run.properties.minVersion < $1.run.properties.minVersion }
    bounds = ContiguousArray(
      runs.map {
        Bounds(from: $0.run.properties.minVersion.rawValue, to: $0.run.properties.maxEdge.rawValue, latest: 0)
      })
    _ = settle(0, runs.count)
  }

  private mutating func settle(_ low: Int, _ high: Int) -> UInt64 {
    guard low < high else { return 0 }
    let middle = (low + high) / 2
    let latest = max(bounds[middle].to, settle(low, middle), settle(middle + 1, high))
    bounds[middle].latest = latest
    return latest
  }

  /// Whether nothing was alive at a version or after.
  func isOver(at version: Version) -> Bool {
    bounds.isEmpty || bounds[bounds.count / 2].latest <= version.rawValue
  }

  /// Calls `visit` for each run that may hold records alive at a version, until that gives true.
  @discardableResult
  func visit(
    at version: Version, _ visit: (FileRun) throws(StoreError) -> Bool
  ) throws(StoreError) -> Bool {
    try walk(0, bounds.count, version.rawValue, visit)
  }

  private func walk(
    _ low: Int, _ high: Int, _ version: UInt64, _ visit: (FileRun) throws(StoreError) -> Bool
  ) throws(StoreError) -> Bool {
    guard low < high else { return false }
    let middle = (low &+ high) / 2
    let here = bounds[middle]
    guard here.latest > version else { return false }
    if try walk(low, middle, version, visit) { return true }
    guard here.from <= version else { return false }
    if here.to > version, try visit(runs[middle]) { return true }
    return try walk(middle &+ 1, high, version, visit)
  }
}
