import Environment

/// What is to happen, by virtual time; what was scheduled first comes first at the same time.
struct EventQueue {
  /// An event's place in the order; the action lies apart, so that the order is kept without counting references.
  private struct Event {
    let time: UInt64
    let number: UInt64
    let slot: Int

    func precedes(_ other: Event) -> Bool { (time, number) < (other.time, other.number) }
  }

  /// A binary heap, the next event at its root.
  private var heap: [Event] = []
  private var actions: [(() -> Void)?] = []
  private var freeSlots: [Int] = []
  private var nextNumber: UInt64 = 0

  /// The time of the next event in nanoseconds.
  var nextTime: UInt64? { heap.first?.time }

  mutating func schedule(at time: UInt64, _ action: @escaping () -> Void) {
    let slot = freeSlots.popLast() ?? actions.count
    if slot == actions.count { actions.append(action) } else { actions[slot] = action }
    let event = Event(time: time, number: nextNumber, slot: slot)
    nextNumber += 1
    heap.append(event)
    var place = heap.count - 1
    while place > 0, event.precedes(heap[(place - 1) / 2]) {
      heap[place] = heap[(place - 1) / 2]
      place = (place - 1) / 2
    }
    heap[place] = event
  }

  /// Takes the next event out.
  mutating func next() -> (() -> Void)? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty { sink(last) }
    defer { freeSlots.append(first.slot) }
    return actions[first.slot].take()
  }

  /// Puts an event where the root was.
  private mutating func sink(_ event: Event) {
    var place = 0
    while true {
      var child = 2 * place + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(event) else { break }
      heap[place] = heap[child]
      place = child
    }
    heap[place] = event
  }
}
