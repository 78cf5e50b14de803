import Bytes

/// A look-up of one key in several runs of history. The part of each run's filter that says something of the key is asked
/// for when the run is added, and looked at when all are there: so main memory is waited for once, not once for each run.
///
/// SAFETY: the indexes are retained when they are added and released once, by `clear`; the runs are the caller's, who holds
/// them as long as the probe has them; the key is lent for the duration of a call.
public struct RunProbe: ~Copyable {
  /// The most runs at a time.
  private static let capacity = 16

  private let hash: UInt64
  private var indexes = InlineArray<16, Unmanaged<RunIndex>?>(repeating: nil)
  private var runs = InlineArray<16, Unmanaged<TableRun>?>(repeating: nil)
  private var count = 0

  /// A probe for the key with this hash (`KeyHash`).
  public init(hash: UInt64) {
    self.hash = hash
  }

  deinit { release() }

  /// Whether no further run can be added before a look at those that are there.
  public var isFull: Bool { count == Self.capacity }

  /// Adds a run, unless the probe is full.
  public mutating func add(_ run: TableRun) throws(TableError) {
    let index = try run.index(caching: true)
    index.prefetch(hash)
    indexes[count] = .passRetained(index)
    runs[count] = .passUnretained(run)
    count += 1
  }

  /// Lends the newest record of the key in each run that is not newer than a version to `body`, until that gives true; says
  /// whether it did. The probe is empty afterwards.
  public mutating func look(
    for key: UnsafeRawBufferPointer, at version: Version, _ body: (RecordView) -> Bool
  ) throws(TableError) -> Bool {
    defer {
      release()
      count = 0
    }
    for number in 0..<count {
      guard let index = indexes[number], let run = runs[number] else { continue }
      guard index._withUnsafeGuaranteedRef({ $0.mayContain(hash) }) else { continue }
      var isFound = false
      _ = try run.takeUnretainedValue().get(key, at: version, through: index.takeUnretainedValue()) {
        isFound = body($0)
      }
      if isFound { return true }
    }
    return false
  }

  private func release() {
    for number in 0..<count { indexes[number]?.release() }
  }
}
