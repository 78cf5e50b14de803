import Environment
import Simulation
import Testing

/// The scenarios of `Tests/Scenarios`, each by its name.
@Suite struct ScenarioTests {
  private static let folder = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Scenarios"

  private static func files(_ kind: String) -> [String] {
    let names = (try? PosixDisk().list("\(folder)/\(kind)")) ?? []
    return names.filter { $0.hasSuffix(".scenario") }.map { "\(folder)/\(kind)/\($0)" }
  }

  @Test("on consensus cores", arguments: ScenarioTests.files("core"))
  func core(path: String) throws { try ScenarioFiles.run(path) }

  @Test("on a simulated cluster", arguments: ScenarioTests.files("cluster"))
  func cluster(path: String) throws { try ScenarioFiles.run(path) }

  @Test("all scenarios are found")
  func count() {
    #expect(ScenarioTests.files("core").count >= 10)
    #expect(ScenarioTests.files("cluster").count >= 20)
  }

  @Test("a scenario that does not go as it says fails with its line")
  func failure() {
    let scenario = Scenario(name: "wrong", text: "# nothing\nvoters 1 2 3\nexpect leader 1\n")
    let failure = #expect(throws: ScenarioFailure.self) { try CoreScenario.run(scenario) }
    #expect(failure?.description == "wrong, line 3: expect leader 1: the leader is none")
  }

  @Test(
    "words that are no command, too many or too few are refused", arguments: ["dance 1", "elect", "heal 1", "tick x"])
  func nonsense(line: String) {
    #expect(throws: ScenarioFailure.self) { try CoreScenario.run(Scenario(name: "wrong", text: "voters 1\n\(line)")) }
  }
}
