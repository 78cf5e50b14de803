import Bytes
import Glibc
import Testing

@testable import Client

@Suite struct StateTests {
  private let directory = TestDirectory()
  private let cluster = FakeCluster()
  private let key = Key("greeting")
  private var state: StateDirectory { StateDirectory(directory.path + "/state/kv/test") }

  private func dials(_ body: () throws -> Void) rethrows -> [String] {
    let before = cluster.world.dials.count
    try body()
    return Array(cluster.world.dials[before...])
  }

  @Test("the second command goes straight to the leader, which the first one's map named")
  func storedMap() throws {
    cluster.leaders = cluster.leaders.map { _ in 3 }
    cluster.forwards = true
    #expect(try dials { _ = try cluster.client(state: state).put(key, [1]) } == [FakeCluster.address(1)])
    #expect(try dials { _ = try cluster.client(state: state).put(key, [2]) } == [FakeCluster.address(3)])
    var facts = stat()
    #expect(stat(directory.path + "/state/kv/test/map", &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    #expect(stat(directory.path + "/state/kv/test", &facts) == 0 && facts.st_mode & 0o777 == 0o700)
  }

  @Test("where no node of the cluster file is a member any more, the stored map names others for every command")
  func departed() throws {
    _ = try cluster.client(state: state).put(key, [1])
    let stray = cluster.client(timeout: 1000, nodes: [9])
    #expect(throws: ClientError.self) { try stray.latestVersion() }
    #expect(try cluster.client(state: state, nodes: [9]).latestVersion() > .zero)
    #expect(try cluster.client(state: state, nodes: [9]).map().epoch == 1)
  }

  @Test("a stored map that is wrong costs a detour, never an error, and is replaced")
  func staleMap() throws {
    cluster.leaders = cluster.leaders.map { _ in 3 }
    _ = try cluster.client(state: state).put(key, [1])
    cluster.leaders = cluster.leaders.map { _ in 2 }
    cluster.world.nodes[FakeCluster.address(3)] = nil
    _ = try cluster.client(state: state).put(key, [2])
    #expect(try dials { _ = try cluster.client(state: state).put(key, [3]) } == [FakeCluster.address(2)])
  }

  @Test("a stored map that is garbage, another cluster's, or open to others is done without")
  func badMap() throws {
    var other = cluster.mapMessage
    other.cluster = "other"
    let good = cluster.mapMessage.encoded
    cluster.forwards = true
    for (bytes, mode) in [([1, 2, 3], 0o600), (other.encoded, 0o600), (good, 0o644), ([], 0o600)] as [([UInt8], mode_t)]
    {
      _ = directory.file("own/map", bytes, mode: mode)
      let own = StateDirectory(directory.path + "/own")
      #expect(try dials { _ = try cluster.client(state: own).put(key, [1]) } == [FakeCluster.address(1)])
    }
  }

  @Test("a stored map with a higher epoch than the cluster's does not stand in the way of a fresh one")
  func rebornCluster() throws {
    var old = cluster.mapMessage
    old.epoch = 99
    for place in old.partitions.indices { old.partitions[place].leader = 2 }
    _ = directory.file("own/map", old.encoded)
    cluster.leaders = cluster.leaders.map { _ in 3 }
    let own = StateDirectory(directory.path + "/own")
    let client = cluster.client(state: own)
    _ = try client.map()
    #expect(client.knownMap?.message.epoch == 1)
  }

  @Test("a directory that can't be written is done without")
  func unwritable() throws {
    let file = directory.file("plain")
    _ = try cluster.client(state: StateDirectory(file + "/below")).put(key, [1])
  }

  @Test("a link in place of a stored file is not followed")
  func link() {
    let target = directory.file("target", [1])
    mkdir(directory.path + "/own", 0o700)
    symlink(target, directory.path + "/own/map")
    #expect(StateDirectory(directory.path + "/own").read("map") == nil)
  }
}
