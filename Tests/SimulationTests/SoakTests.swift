import Testing

@testable import Simulation

@Suite("One cluster for long: stages, and whether something grows")
struct SoakTests {
  @Test("a day in stages of an hour, unless the command line says otherwise")
  func options() throws {
    let day = try SimulateOptions.parse([], over: .soak).get()
    #expect(day.stages == 24 && day.seconds == 3_600 && day.profile.name == "soak")
    let short = try SimulateOptions.parse(["--stages", "4", "--seconds", "90", "--seeds", "9"], over: .soak).get()
    #expect(short.stages == 4 && short.seconds == 90 && short.seeds == 9...9)
  }

  @Test("stages follow one another on one cluster: each is checked, and none takes what came before for its own")
  func stages() async {
    #expect(await SimulateCommand.run(["soak", "--stages", "4", "--seconds", "60"]) == 0)
    #expect(await SimulateCommand.run(["soak", "--stages", "0"]) == 64)
  }

  private func measures(_ count: Int, _ value: (Int) -> Int) -> [Soak.Measure] {
    (0..<count).map { Soak.Measure(diskBytes: value($0) << 20, files: 40, residentBytes: 50 << 20) }
  }

  @Test("what comes to rest, or goes up and down, has not grown; what gets more with each stage has")
  func growth() {
    #expect(Soak.growth(measures(24) { _ in 10 }).isEmpty)
    #expect(Soak.growth(measures(24) { min($0, 6) + 4 }).isEmpty)
    #expect(Soak.growth(measures(24) { 10 + $0 % 5 }).isEmpty)
    #expect(Soak.growth(measures(24) { 10 + $0 }).first?.hasPrefix("bytes on disk grew") == true)
    let more = (0..<8).map { Soak.Measure(diskBytes: 1, files: 40 * ($0 + 1), residentBytes: $0 * 40 << 20) }
    #expect(Soak.growth(more).count == 2, "files and memory")
  }
}
