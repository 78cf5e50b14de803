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

  /// One of the connections that a node makes to another.
  private struct Connection: Hashable {
    let link: Link
    let way: PeerFrame.Way
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
  private var lastDelivery: [Connection: UInt64] = [:]
  /// How many frames are under way on each connection.
  private var underWay: [Connection: Int] = [:]
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

  /// So many frames under way are more than a connection takes at once.
  private static let mostUnderWay = 48

  /// Whether entries had better wait at the sender.
  func isBusy(_ link: Link) -> Bool {
    underWay[Connection(link: link, way: .messages), default: 0] > SimulatedNetwork.mostUnderWay
  }

  /// A frame has left.
  mutating func left(_ frame: PeerFrame, on link: Link) {
    underWay[Connection(link: link, way: frame.way), default: 0] += 1
  }

  /// A frame has arrived, or is lost; true where the sender may go on that had to wait.
  mutating func ended(_ frame: PeerFrame, on link: Link) -> Bool {
    let connection = Connection(link: link, way: frame.way)
    let wasBusy = isBusy(link)
    underWay[connection, default: 1] -= 1
    return wasBusy && !isBusy(link)
  }

  /// When a frame that leaves now arrives: after all that left before on the same connection.
  mutating func arrival(of frame: PeerFrame, _ link: Link, now: UInt64, delay: UInt64) -> UInt64 {
    let connection = Connection(link: link, way: frame.way)
    let time = max(now + delay, lastDelivery[connection] ?? 0)
    lastDelivery[connection] = time
    return time
  }
}
