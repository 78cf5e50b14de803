import Bytes
import Client
import Environment
public import Node
import TLS
import Wire

/// A node that doesn't run, by its directory, which no other process can use as long as this lives.
public final class StoppedNode {
  /// What of the cluster is here, and how it goes on alone.
  public let recovery: Recovery
  private let locks: [DirectoryLock]
  private let credentials: NodeCredentials

  /// Locks and reads a node's directory, and those of others from which is to be taken what it lacks.
  /// The partitions in `without` begin anew; with `acceptsLoss` the others go on with what is left of damaged logs and
  /// tables. With `readsTables` the tables are read to the last byte.
  public init(
    _ directory: String, others: [String] = [], without: [UInt32] = [], acceptsLoss: Bool = false, readsTables: Bool
  ) throws(ServerError) {
    let disk = PosixDisk()
    var locks: [DirectoryLock] = []
    for path in [directory] + others { locks.append(try StoppedNode.lock(path, on: disk)) }
    self.locks = locks
    credentials = try NodeCredentials.load(from: directory, on: disk)
    do throws(NodeError) {
      recovery = try Recovery(
        directory, others: others, without: Set(without.map { GroupID(rawValue: $0) }), acceptsLoss: acceptsLoss,
        readsTables: readsTables, on: disk, time: SystemClock().wallMilliseconds)
    } catch {
      throw .node(error)
    }
  }

  private static func lock(_ directory: String, on disk: PosixDisk) throws(ServerError) -> DirectoryLock {
    do throws(NodeError) {
      guard try NodeDirectory.kind(of: directory, on: disk) == .node else {
        throw .foreign(path: directory, words: "there is no node here")
      }
    } catch {
      throw .node(error)
    }
    do throws(DirectoryLockError) { return try DirectoryLock(directory: directory) } catch { throw .locked(error) }
  }

  /// Makes the node the only one of its cluster.
  public func apply() throws(ServerError) {
    do throws(NodeError) {
      try recovery.apply()
    } catch {
      throw .node(error)
    }
  }

  /// The other nodes that answer, in words. Each is asked at its address, as a node asks another.
  public func reachable(timeoutMilliseconds: Int) -> [String] {
    guard !recovery.lost.isEmpty, let key = try? credentials.key.der() else { return [] }
    return recovery.lost.compactMap { lost in
      let file = ClusterFile(
        cluster: recovery.cluster, addresses: [lost.address], authority: credentials.trust.authority.der,
        certificate: credentials.certificate.der, privateKey: key)
      let client = Client(file, timeoutMilliseconds: timeoutMilliseconds)
      let reports = (try? client.status()) ?? []
      let answers = reports.contains { $0.status?.node == lost.id.rawValue }
      return answers ? "node \(lost.id) at \(lost.address)" : nil
    }
  }
}
