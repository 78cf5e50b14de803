import Testing

@testable import Client

@Suite struct RouteTests {
  private static func go(_ route: inout Route, _ preferred: String?, _ all: [String]) -> (String, Bool)? {
    route.next(preferred: preferred, candidates: { all }).map { ($0.address, $0.rest > 0) }
  }

  @Test("the preferred peer comes first, then the others, each without a rest; then it rests and begins again")
  func rounds() {
    var route = Route()
    let stops = (0..<6).compactMap { _ in Self.go(&route, "b", ["a", "b", "c"]) }
    #expect(stops.map(\.0) == ["b", "a", "c", "b", "a", "c"])
    #expect(stops.map(\.1) == [false, false, false, true, false, false])
  }

  @Test("of many peers a few are asked between rests, and all of them in time")
  func many() {
    var route = Route()
    let all = (0..<10).map { "p\($0)" }
    let stops = (0..<10).compactMap { _ in Self.go(&route, nil, all) }
    #expect(Set(stops.map(\.0)) == Set(all))
    #expect(stops.map(\.1) == [false, false, false, false, true, false, false, false, true, false])
  }

  @Test("an excluded peer is never asked again, and without any peer there is nowhere to go")
  func excluded() {
    var route = Route()
    #expect(Self.go(&route, "a", ["a", "b"])?.0 == "a")
    route.exclude("a")
    #expect(Self.go(&route, "a", ["a", "b"])?.0 == "b")
    #expect(Self.go(&route, "a", ["a", "b"])?.0 == "b")
    route.exclude("b")
    #expect(Self.go(&route, nil, ["a", "b"]) == nil)
  }

  @Test("rests grow from 10 ms to 320 ms")
  func rests() {
    var route = Route()
    let rests = (0..<9).compactMap { _ in route.next(preferred: nil, candidates: { ["a"] })?.rest }
    for (rest, longest) in zip(rests, [0, 10, 20, 40, 80, 160, 320, 320, 320] as [UInt64]) {
      #expect(rest <= longest && rest >= longest / 2)
    }
  }
}
