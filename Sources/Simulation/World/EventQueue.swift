import Environment

/// What is to happen, by virtual time; what was scheduled first comes first at the same time.
struct EventQueue {
  private struct Event {
    let time: UInt64
    let number: UInt64
    let action: () -> Void

    func precedes(_ other: Event) -> Bool { (time, number) < (other.time, other.number) }
  }

  /// A binary heap, the next event at its root.
  private var heap: [Event] = []
  private var nextNumber: UInt64 = 0

  /// The time of the next event in nanoseconds.
  var nextTime: UInt64? { heap.first?.time }

  mutating func schedule(at time: UInt64, _ action: @escaping () -> Void) {
    heap.append(Event(time: time, number: nextNumber, action: action))
    nextNumber += 1
    var child = heap.count - 1
    while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Takes the next event out.
  mutating func next() -> (() -> Void)? {
    guard let first = heap.first else { return nil }
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      guard least != parent else { return first.action }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
