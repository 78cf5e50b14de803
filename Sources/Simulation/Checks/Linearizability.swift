/// Decides whether a history of operations on one object could have happened one at a time, each at some moment between
/// its beginning and its end (Wing and Gong 1993; Lowe, "Testing for linearizability", 2017, for the cache).
///
/// The time is exponential in the number of operations that overlap, in the worst case; so histories are parted by key,
/// and a model should refuse as early as it can.
struct Linearizability<State: Hashable> {
  /// One operation.
  struct Step {
    let begin: UInt64
    /// `UInt64.max` for one whose end nobody saw.
    let end: UInt64
    /// The state after it, or nil where it can't happen in this one.
    let apply: (State) -> State?
  }

  /// How a history fares.
  enum Verdict: Equatable {
    case linearizable
    /// The longest beginning that works ends before these operations, one of which had to come next.
    case impossible(stuckAt: [Int])
    /// Too many configurations were tried.
    case undecided
  }

  private struct Configuration: Hashable {
    let done: [UInt64]
    let state: State
  }

  /// An event in the order of time: an operation begins or ends. Linked, so that what is placed can be lifted out.
  private struct Event {
    let step: Int
    let isEnd: Bool
    var previous: Int
    var next: Int
  }

  private var events: [Event] = []
  private var ends: [Int]
  private let steps: [Step]

  /// Checks a history that starts from a state.
  static func check(_ steps: [Step], from state: State, limit: Int = 5_000_000) -> Verdict {
    var checker = Linearizability(steps)
    return checker.search(state, limit)
  }

  /// Event 0 is the head of the list.
  private init(_ steps: [Step]) {
    self.steps = steps
    ends = Array(repeating: 0, count: steps.count)
    var order: [(time: UInt64, isEnd: Bool, step: Int)] = []
    for (place, step) in steps.enumerated() {
      order.append((step.begin, false, place))
      order.append((step.end, true, place))
    }
    // At the same moment beginnings come first: such operations overlap.
    order.sort { ($0.time, $0.isEnd ? 1 : 0, $0.step) < ($1.time, $1.isEnd ? 1 : 0, $1.step) }
    events.append(Event(step: -1, isEnd: false, previous: -1, next: order.isEmpty ? -1 : 1))
    for (place, event) in order.enumerated() {
      events.append(
        Event(
          step: event.step, isEnd: event.isEnd, previous: place, next: place + 1 < order.count ? place + 2 : -1))
      if event.isEnd { ends[event.step] = place + 1 }
    }
  }

  private mutating func unlink(_ event: Int) {
    let (previous, next) = (events[event].previous, events[event].next)
    events[previous].next = next
    if next >= 0 { events[next].previous = previous }
  }

  private mutating func relink(_ event: Int) {
    let (previous, next) = (events[event].previous, events[event].next)
    events[previous].next = event
    if next >= 0 { events[next].previous = event }
  }

  private mutating func search(_ initial: State, _ limit: Int) -> Verdict {
    var state = initial
    var done = [UInt64](repeating: 0, count: (steps.count + 63) / 64)
    var seen: Set<Configuration> = []
    var placed: [(event: Int, before: State)] = []
    var best = -1
    var stuck: [Int] = []
    var candidate = events[0].next
    while events[0].next >= 0 {
      let event = events[candidate]
      if !event.isEnd {
        var after = done
        after[event.step >> 6] |= 1 << UInt64(event.step & 63)
        if let next = steps[event.step].apply(state), seen.insert(Configuration(done: after, state: next)).inserted {
          guard seen.count <= limit else { return .undecided }
          placed.append((candidate, state))
          (state, done) = (next, after)
          unlink(candidate)
          unlink(ends[event.step])
          candidate = events[0].next
        } else {
          candidate = event.next
        }
        continue
      }
      // An operation ended here that can't be placed before: undo the last placement.
      if placed.count > best {
        best = placed.count
        stuck = open(before: candidate)
      }
      guard let last = placed.popLast() else { return .impossible(stuckAt: stuck) }
      let step = events[last.event].step
      state = last.before
      done[step >> 6] &= ~(1 << UInt64(step & 63))
      relink(ends[step])
      relink(last.event)
      candidate = events[last.event].next
    }
    return .linearizable
  }

  /// The operations that had begun, and were not placed, when one had to end.
  private func open(before end: Int) -> [Int] {
    var found: [Int] = []
    var at = events[0].next
    while at >= 0, at != end {
      found.append(events[at].step)
      at = events[at].next
    }
    return found
  }
}
