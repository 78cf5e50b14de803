import Bytes
import Node

/// The connections between the nodes of a world: what they lose, delay, double and put out of order.
///
/// A connection delivers in order or breaks, as TCP does; on both ends of one that broke the node hears of it. What the
/// nodes themselves must stand, messages of consensus lost, doubled or late, happens to single frames of that kind.
struct SimulatedNetwork {
  /// One direction between two nodes.
  struct Link: Hashable, Comparable {
    let sender: NodeID
    let receiver: NodeID
    var reversed: Link { Link(sender: receiver, receiver: sender) }
    static func < (left: Link, right: Link) -> Bool {
      (left.sender, left.receiver) < (right.sender, right.receiver)
    }
  }

  /// One of the two connections that a node makes to another: one for replicas' states, one for all else.
  private struct Lane: Hashable {
    let link: Link
    let isForStates: Bool
  }

  /// How single frames fare, in thousandths, and how long they take, in microseconds.
  public struct Weather: Sendable {
    public var drop = 0
    public var double = 0
    public var stray = 0
    public var delay: ClosedRange<UInt64> = 30...600
    public init() {}
  }

  var weather = Weather()
  private(set) var cuts: Set<Link> = []
  /// The cut links on which something was lost.
  private var torn: Set<Link> = []
  private var lastDelivery: [Lane: UInt64] = [:]
  /// Counts the connections of a pair: what was on its way on an earlier one never arrives.
  private var epochs: [Link: Int] = [:]

  mutating func cut(_ link: Link) { cuts.insert(link) }

  /// Takes one link out of those that are cut; true if it had lost something.
  mutating func mend(_ link: Link) -> Bool {
    cuts.remove(link)
    return torn.remove(link) != nil
  }

  func isCut(_ link: Link) -> Bool { cuts.contains(link) }

  mutating func lost(on link: Link) { torn.insert(link) }

  /// Breaks the connections between two nodes.
  mutating func reset(_ link: Link) {
    epochs[link, default: 0] += 1
    epochs[link.reversed, default: 0] += 1
  }

  func epoch(_ link: Link) -> Int { epochs[link] ?? 0 }

  /// When a frame that leaves now arrives: after all that left before on the same connection.
  mutating func arrival(of frame: PeerFrame, _ link: Link, now: UInt64, delay: UInt64) -> UInt64 {
    let lane = Lane(link: link, isForStates: frame.isPartOfState)
    let time = max(now + delay, lastDelivery[lane] ?? 0)
    lastDelivery[lane] = time
    return time
  }
}
