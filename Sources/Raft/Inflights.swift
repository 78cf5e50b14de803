import Bytes

/// The appends sent to one peer and not yet answered: a ring that grows up to its limit and no further.
struct Inflights: Sendable {
  private struct Append: Sendable {
    var last: LogIndex
    var bytes: Int
  }

  private var ring: [Append] = []
  private var start = 0
  private(set) var count = 0
  private(set) var bytes = 0

  /// Whether either limit is reached.
  func isFull(_ options: RaftOptions) -> Bool {
    count >= options.maxInflightMessages || bytes >= options.maxInflightBytes
  }

  /// Notes an append whose last entry is `last`, above all noted before.
  mutating func add(last: LogIndex, bytes size: Int) {
    if count == ring.count { grow() }
    ring[(start + count) & (ring.count - 1)] = Append(last: last, bytes: size)
    count += 1
    bytes += size
  }

  /// Forgets the appends that an answer up to `index` covers.
  mutating func free(through index: LogIndex) {
    while count > 0, ring[start].last <= index {
      bytes -= ring[start].bytes
      start = (start + 1) & (ring.count - 1)
      count -= 1
    }
  }

  /// Forgets all.
  mutating func removeAll() {
    start = 0
    count = 0
    bytes = 0
  }

  /// The ring's size is a power of two, so that positions wrap by a mask.
  private mutating func grow() {
    var larger: [Append] = []
    larger.reserveCapacity(max(4, 2 * count))
    for offset in 0..<count { larger.append(ring[(start + offset) & (ring.count - 1)]) }
    larger.append(contentsOf: repeatElement(Append(last: .zero, bytes: 0), count: max(4, 2 * count) - count))
    ring = larger
    start = 0
  }
}
