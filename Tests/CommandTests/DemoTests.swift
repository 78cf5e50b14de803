import FoundationEssentials
import Testing

@testable import Commands

@Suite("The demo")
struct DemoTests {
  @Test("A node that ends is started again a second later, however often, if it ran for a while")
  func restarts() {
    var restarts = NodeRestarts(startedAt: 0)
    var now: UInt64 = 0
    for _ in 0..<10 {
      now += NodeRestarts.soonMilliseconds + 1
      #expect(restarts.dueAt == nil)
      let comesBack = restarts.ended(at: now, hasLeft: false)
      #expect(comesBack)
      #expect(restarts.dueAt == now + NodeRestarts.pauseMilliseconds)
      now += NodeRestarts.pauseMilliseconds
      restarts.started(at: now)
    }
  }

  @Test("A node that ends three times in a row soon after its start is given up")
  func givesUp() {
    var restarts = NodeRestarts(startedAt: 0)
    var comeBack: [Bool] = []
    // The third runs for a while: what was before counts no more.
    for (start, end) in [(0, 10), (1010, 1020), (2020, 9000), (10_000, 10_010), (11_010, 11_020), (12_020, 12_030)] {
      restarts.started(at: UInt64(start))
      comeBack.append(restarts.ended(at: UInt64(end), hasLeft: false))
    }
    #expect(comeBack == [true, true, true, true, true, false])
  }

  @Test("A node that has left is not started again")
  func hasLeft() {
    var restarts = NodeRestarts(startedAt: 0)
    let isNoFault = restarts.ended(at: 10, hasLeft: true)
    #expect(isNoFault)
    #expect(restarts.dueAt == NodeRestarts.never)
  }

  @Test("A demo takes an empty directory, one of a demo, and what one left that didn't come to start")
  func directories() throws {
    let place = try DirectoryTree.makeTemporary("kv-test-")
    defer { DirectoryTree.remove(place) }
    let make = { (name: String) throws in
      try FileManager.default.createDirectory(atPath: "\(place)/\(name)", withIntermediateDirectories: true)
    }
    #expect(DemoCluster.mayUse(place))
    try make("node1")
    try make("node2.log")
    #expect(DemoCluster.mayUse(place))
    try make("letters")
    #expect(!DemoCluster.mayUse(place))
    try make("node1/identity")
    #expect(DemoCluster.mayUse(place))
  }
}
