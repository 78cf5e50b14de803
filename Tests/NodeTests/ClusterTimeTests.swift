import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite struct ClusterTimeTests {
  private let day: UInt64 = 86_400_000
  private let wall: UInt64 = 1_700_000_000_000

  private func time(_ walls: [UInt64], steady: UInt64 = 1_000_000) -> ClusterTime {
    var time = ClusterTime()
    for (place, wall) in walls.enumerated() {
      time.heard(NodeID(rawValue: UInt32(place) + 2), wall: wall, steady: steady)
    }
    return time
  }

  @Test("a clock near the median is used as it is, one far from it gives way to the median, ahead and behind")
  func median() {
    let steady: UInt64 = 1_000_000
    let time = time([wall, wall + 50])
    for error: UInt64 in [0, 300, 9_000] { #expect(time.wall(own: wall + error, steady: steady) == wall + error) }
    #expect(time.wall(own: wall + day, steady: steady) == wall + 50)
    #expect(time.wall(own: wall - day, steady: steady) == wall)
  }

  @Test("one member that is wrong does not matter among three; of two the earlier is believed")
  func minority() {
    let steady: UInt64 = 1_000_000
    #expect(time([wall + day, wall]).wall(own: wall + 10, steady: steady) == wall + 10)
    #expect(time([wall - day]).wall(own: wall, steady: steady) == wall - day)
    #expect(time([wall + day]).wall(own: wall, steady: steady) == wall)
    #expect(ClusterTime().wall(own: wall, steady: steady) == wall)
  }

  @Test("every clock that is far from the median is named, and how far it is")
  func astray() {
    let steady: UInt64 = 1_000_000
    func named(_ time: ClusterTime, own: UInt64, at moment: UInt64 = 1_000_000) -> [String] {
      time.astray(own: own, steady: moment).map { "\($0.member.map { "\($0)" } ?? "own") \($0.ahead)" }
    }
    #expect(named(time([wall, wall + 9_000]), own: wall) == [])
    #expect(named(time([wall, wall + day]), own: wall + 5) == ["3 \(day - 5)"])
    #expect(named(time([wall - day, wall]), own: wall) == ["2 -\(day)"])
    #expect(named(time([wall, wall]), own: wall + day) == ["own \(day)"])
    #expect(named(time([wall + day, wall]), own: wall, at: steady + 120_000) == [])
    #expect(named(ClusterTime(), own: wall) == [])
    #expect(named(time([.max, 0]), own: wall).count == 1)
  }

  @Test("what a member said moves on with the steady clock, and is forgotten after a minute")
  func ageing() {
    let time = time([wall, wall], steady: 1_000_000)
    #expect(time.wall(own: wall + day, steady: 1_005_000) == wall + 5_000)
    #expect(time.count(steady: 1_060_000) == 2)
    #expect(time.count(steady: 1_060_001) == 0)
    #expect(time.wall(own: wall + day, steady: 1_060_001) == wall + day)
  }

  @Test("a leap ahead on which the clocks agree is followed once it has lasted")
  func leap() {
    var time = time([wall, wall])
    #expect(time.follow(own: wall, steady: 1_000_000) == wall)
    // Two of three have leapt, or one and a reading of another that is out of date.
    time.heard(NodeID(rawValue: 2), wall: wall + day, steady: 1_000_500)
    #expect(time.follow(own: wall + day, steady: 1_001_000) == wall + 1_000)
    time.heard(NodeID(rawValue: 2), wall: wall + 2_000, steady: 1_002_000)
    #expect(time.follow(own: wall + day, steady: 1_002_000) == wall + 2_000)
    time.heard(NodeID(rawValue: 2), wall: wall + day, steady: 1_003_000)
    #expect(time.follow(own: wall + day, steady: 1_003_000) == wall + 3_000)
    #expect(time.follow(own: wall + day, steady: 1_009_999) == wall + 9_999)
    #expect(time.follow(own: wall + day, steady: 1_010_000) == wall + day)
    // Back is where nothing has to wait.
    #expect(time.follow(own: wall + 10_000, steady: 1_011_000) != wall + day)
  }

  @Test("of a leap ahead only that is followed which has lasted, not a longer one that came meanwhile")
  func leapInLeap() {
    // The time that is followed has fallen behind, as two clocks did; then they are right again.
    var time = time([wall - day, wall])
    #expect(time.follow(own: wall - day, steady: 1_000_000) == wall - day)
    time.heard(NodeID(rawValue: 2), wall: wall + 1_000, steady: 1_001_000)
    #expect(time.follow(own: wall + 1_000, steady: 1_001_000) == wall - day + 1_000)
    // Two leap ahead just before the first leap has lasted for long enough.
    time.heard(NodeID(rawValue: 2), wall: wall + day, steady: 1_007_500)
    #expect(time.follow(own: wall + day, steady: 1_007_500) == wall - day + 7_500)
    #expect(time.follow(own: wall + day, steady: 1_008_000) == wall + 8_000)
    time.heard(NodeID(rawValue: 2), wall: wall + 9_000, steady: 1_009_000)
    #expect(time.follow(own: wall + day, steady: 1_009_000) == wall + 9_000)
  }

  @Test("any answer of a member is safe to take")
  func nonsense() {
    var time = time([.max, 0, UInt64(Int64.max), 1 << 61])
    #expect(time.count(steady: 1_000_000) == 2)
    for steady: UInt64 in [1_000_000, 1_050_000] {
      #expect(time.wall(own: wall, steady: steady) <= UInt64(Int64.max))
      #expect(time.astray(own: wall, steady: steady).count == 2)
      #expect(time.follow(own: wall, steady: steady) <= UInt64(Int64.max))
    }
  }

  @Test("a request id is too old or too young by the version that its write would get")
  func expiry() throws {
    let made: UInt64 = 1_700_000_000_000
    let id = RequestID(session: SessionID(high: made << 16 | 0x7000, low: 1), sequence: 1)
    #expect(id.expiry(at: Version(milliseconds: made)) == nil)
    #expect(id.expiry(at: Version(milliseconds: made + 3_600_000)) == nil)
    #expect(id.expiry(at: Version(milliseconds: made + 3_600_001)) != nil)
    #expect(id.expiry(at: Version(milliseconds: made - 60_000)) == nil)
    #expect(id.expiry(at: Version(milliseconds: made - 60_001)) != nil)
  }

  @Test("writes go on while members join: the oracle asks them at once", arguments: 1...5)
  func joining(seed: Int) throws {
    let world = try SimulatedWorld(seed: UInt64(seed))
    world.run(milliseconds: 1_000)
    var id: UInt64 = 0
    for _ in 0..<2 {
      _ = try world.join()
      for _ in 0..<40 {
        id += 1
        let began = world.time
        #expect(world.put("k", "v", id: id) != nil, "seed \(seed)")
        #expect(world.time - began < 400_000_000, "seed \(seed), write \(id): \((world.time - began) / 1_000_000) ms")
        world.run(milliseconds: 50)
      }
    }
  }
}
