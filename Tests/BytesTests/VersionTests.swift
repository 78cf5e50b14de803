import Testing

@testable import Bytes

@Suite struct VersionTests {
  @Test("a version is its millisecond above eighteen bits of counter")
  func parts() {
    let version = Version(rawValue: 1_700_000_000_000 << 18 | 5)
    #expect(version.milliseconds == 1_700_000_000_000)
    #expect(Version(milliseconds: 1_700_000_000_000) < version)
    #expect(version < Version(lastOfMillisecond: 1_700_000_000_000))
    #expect(Version(lastOfMillisecond: 7).advanced(by: 1) == Version(milliseconds: 8))
    #expect(version.description == "445644800000000005")
  }

  @Test("versions order as their numbers, between zero and the latest")
  func order() {
    #expect(Version.zero < Version(rawValue: 1) && Version(rawValue: 1) < .max)
    #expect(Version.zero.milliseconds == 0)
  }

  @Test("a version too far in the future is the latest, never an early one")
  func saturation() {
    #expect(Version(rawValue: .max - 1).advanced(by: 1) == .max)
    #expect(Version(rawValue: .max - 1).advanced(by: 2) == .max)
    #expect(Version(lastOfMillisecond: 1 << 46 - 1) == .max)
    for milliseconds in [UInt64(1) << 46, 1 << 46 + 1, 1 << 60, .max] {
      #expect(Version(milliseconds: milliseconds) == .max)
      #expect(Version(lastOfMillisecond: milliseconds) == .max)
    }
  }
}
