/// What can go wrong in a simulated world.
public enum FaultKind: String, CaseIterable, Sendable {
  /// A node loses power: what it had not synced is lost, kept or torn.
  case powerLoss = "power-loss"
  /// A node loses power in the midst of what it writes.
  case tornJob = "torn-job"
  /// A node's process is killed; the page cache stays.
  case kill
  /// All nodes lose power at once.
  case lightsOut = "lights-out"
  /// A node stops in good order and starts again.
  case drain
  /// A node's process stands still.
  case freeze
  /// A node is cut off from all others.
  case isolate
  /// A node hears nobody.
  case deaf
  /// Nobody hears a node.
  case mute
  /// The nodes fall into two sides.
  case split
  /// Nodes are cut off one after the other, and come back in another order.
  case swizzle
  /// Connections break.
  case reset
  /// Messages of consensus are lost, doubled, and seconds late.
  case lossy
  /// Everything takes much longer on its way.
  case slowNetwork = "slow-network"
  /// A disk takes many times as long.
  case slowDisk = "slow-disk"
  /// A disk answers nothing for a while.
  case diskStall = "disk-stall"
  /// A sync fails once.
  case syncFailure = "sync-failure"
  /// Reads of tables fail for a while.
  case readError = "read-error"
  /// Clocks run faster and slower than the right time, by up to 4.8 percent.
  case drift
  /// A wall clock jumps by seconds.
  case wallStep = "wall-step"
  /// A wall clock jumps by hours or days.
  case wallLeap = "wall-leap"
  /// A disk has no room for a while.
  case diskFull = "disk-full"
  /// Bits flip at rest, on one node's disk.
  case flip
  /// A write of a table is lost without a word, on one node's disk.
  case lostWrite = "lost-write"
  /// A write of a table lands elsewhere in the file, on one node's disk.
  case strayWrite = "stray-write"
  /// A node and its disk are gone for ever.
  case diskLoss = "disk-loss"
  /// A new node joins.
  case join
  /// A node leaves for good.
  case leave
  /// A node and its disk are gone for ever, and it is declared lost.
  case lose
  /// A partition is split.
  case splitPartition = "split-partition"
}
