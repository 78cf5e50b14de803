import Bytes
import Environment
import Wire

// What a node changes in its directory when a replica takes the place of a damaged one, and when it leaves.
extension NodeStorage {
  /// Gives the directory of a partition's store another name, so that a new one can be made; nothing of it is lost.
  /// Gives the reason where that failed.
  func setAside(_ group: GroupID) -> DiskError? {
    let path = partitionDirectory(group)
    guard disk.exists(path) else { return nil }
    do throws(DiskError) {
      try disk.rename(path, to: nextPlaceAside(group))
      try disk.syncDirectory(NodeDirectory.partitionsPath(directory))
      return nil
    } catch {
      return error
    }
  }

  /// Where `setAside` would put a partition's files.
  func nextPlaceAside(_ group: GroupID) -> String {
    let path = partitionDirectory(group)
    var number = 1
    while disk.exists("\(path).damaged.\(number)") { number += 1 }
    return "\(path).damaged.\(number)"
  }

  /// Whether a recovery was begun here and has not ended: files may be another node's by now, and the log this one's.
  var isBeingRecovered: Bool { disk.exists(NodeDirectory.recoveryMark(directory)) }

  /// The partitions that begin anew, empty, in the recovery that was begun here and has not ended.
  var emptiedByRecovery: Set<GroupID> {
    guard let bytes = try? disk.contents(of: NodeDirectory.recoveryMark(directory), limit: 1 << 20) else { return [] }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    return Set(
      lines.compactMap { line in
        line.hasPrefix(Self.emptiedWord) ? UInt32(line.dropFirst(Self.emptiedWord.count)) : nil
      }.map(GroupID.init))
  }

  private static let emptiedWord = "without "

  /// Notes that a recovery begins, durably, and which partitions are to begin anew in it. Gives the reason where that
  /// failed.
  func beginRecovery(emptying groups: [GroupID]) -> DiskError? {
    do throws(DiskError) {
      let lines = ["kv recover apply"] + groups.map { Self.emptiedWord + "\($0)" }
      let text = lines.map { $0 + "\n" }.joined()
      try disk.replace(NodeDirectory.recoveryMark(directory), with: Array(text.utf8))
      return nil
    } catch {
      return error
    }
  }

  /// Notes that it has ended, durably. Gives the reason where that failed.
  func endRecovery() -> DiskError? {
    do throws(DiskError) {
      try disk.remove(NodeDirectory.recoveryMark(directory))
      try disk.syncDirectory(directory)
      return nil
    } catch {
      return error
    }
  }

  /// Marks a partition's store such that it is not opened again, durably. Gives the reason where that failed.
  func markFenced(_ group: GroupID, because words: String) -> DiskError? {
    let mark = NodeDirectory.fenceMark(partitionDirectory(group))
    do throws(DiskError) {
      try disk.replace(mark, with: Array("\(words)\n".utf8))
      return nil
    } catch {
      return error
    }
  }

  /// Notes which incarnation the node's replica of the catalog is, durably. Gives the reason where that failed.
  func saveCatalogIncarnation(_ incarnation: UInt32) -> NodeError? {
    do throws(NodeError) {
      var identity = try NodeIdentity.read(from: directory, on: disk).stored
      identity.catalogIncarnation = incarnation
      try NodeIdentity.write(identity, to: directory, on: disk)
      return nil
    } catch {
      return error
    }
  }

  /// Notes how far the log is durable, durably: one that ends before will be known for an older one. Gives the reason where
  /// that failed.
  func noteLogEnd(_ end: UInt64) -> NodeError? {
    do throws(NodeError) {
      var identity = try NodeIdentity.read(from: directory, on: disk).stored
      guard identity.logEnd != end else { return nil }
      identity.logEnd = end
      try NodeIdentity.write(identity, to: directory, on: disk)
      return nil
    } catch {
      return error
    }
  }

  /// Notes which members have parted from this node, durably. Gives the reason where that failed.
  func saveEstranged(_ members: Set<NodeID>) -> NodeError? {
    do throws(NodeError) {
      var identity = try NodeIdentity.read(from: directory, on: disk).stored
      identity.estranged = members.map(\.rawValue).sorted()
      try NodeIdentity.write(identity, to: directory, on: disk)
      return nil
    } catch {
      return error
    }
  }

  /// Notes that the node is a member no more, durably. Gives the reason where that failed.
  func saveDeparture(_ departure: WireDeparture) -> NodeError? {
    do throws(NodeError) {
      var identity = try NodeIdentity.read(from: directory, on: disk).stored
      identity.departed = departure
      try NodeIdentity.write(identity, to: directory, on: disk)
      return nil
    } catch {
      return error
    }
  }
}
