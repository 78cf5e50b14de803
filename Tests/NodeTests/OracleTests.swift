import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("The oracle") struct OracleTests {
  private let wall: UInt64 = 1_700_000_000_000
  private var ceiling: Version { Version(milliseconds: wall) }

  @Test("gives nothing above the ceiling, and starts above what a predecessor may have given out")
  func ceilings() {
    var oracle = Oracle(ceiling: ceiling)
    #expect(oracle.latest == ceiling)
    #expect(oracle.take(1, wallMilliseconds: wall) == nil)
    let raised = oracle.raise(for: 1, wallMilliseconds: wall)
    #expect(raised == Version(milliseconds: wall + Oracle.ceilingLeadMilliseconds))
    #expect(oracle.raise(for: 1, wallMilliseconds: wall) == nil)
    oracle.raised(to: raised ?? .zero)
    #expect(oracle.take(5, wallMilliseconds: wall) == ceiling.advanced(by: 1))
    #expect(oracle.take(1, wallMilliseconds: wall) == ceiling.advanced(by: 6))
    #expect(oracle.latest == ceiling.advanced(by: 6))
  }

  @Test("goes on above a version that was given out and that its log knows nothing of, once the ceiling allows it")
  func forgotten() {
    var oracle = Oracle(ceiling: ceiling)
    let known = ceiling.advanced(by: 1 << 40)
    let isNews = [oracle.heard(of: ceiling), oracle.heard(of: known), oracle.heard(of: known)]
    #expect(isNews == [false, true, false])
    #expect(oracle.latest == nil)
    #expect(oracle.take(1, wallMilliseconds: wall) == nil)
    let raised = oracle.raise(for: 1, wallMilliseconds: wall)
    oracle.raised(to: raised ?? .zero)
    #expect(oracle.latest == known)
    #expect(oracle.take(1, wallMilliseconds: wall) == known.advanced(by: 1))
  }

  @Test("takes no member's word for a version far in the future")
  func farFuture() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 2)
    try #require(world.settle())
    let node = try #require(world.hosts.values.first?.node)
    let known = node.versions.known
    node.versions.heard(.max)
    node.versions.heard(Version(milliseconds: node.host.clock.wallMilliseconds + 2 * 86_400_000))
    #expect(node.versions.known == known)
    let near = Version(milliseconds: node.host.clock.wallMilliseconds + 60_000)
    node.versions.heard(near)
    #expect(try #require(world.put("k", "v", id: 1)) > near)
  }
}
