import Testing

@testable import Simulation

@Suite("The command line of simulate")
struct SimulateCommandTests {
  @Test("help is no error, wherever it is asked for", arguments: ["--help", "-h", "--seeds 3 --help", "bench --help"])
  func help(line: String) async {
    #expect(await SimulateCommand.run(line.split(separator: " ").map(String.init)) == 0)
  }

  @Test(
    "a line that makes no sense is refused with the reason, and nothing runs",
    arguments: [
      ("--seeds", "--seeds wants a number"), ("--seeds x..5", "not x..5"), ("--seeds 5..1", "not 5..1"),
      ("--seeds 1.5", "not 1.5"), ("--nodes 0", "--nodes wants"), ("--profile none", "not none"),
      ("--only 3,x", "not 3,x"), ("--stages 4", "--stages wants"), ("--what 1", "there is no option --what"),
    ])
  func refusals(line: String, reason: String) {
    let options = SimulateOptions.parse(line.split(separator: " ").map(String.init))
    #expect { try options.get() } throws: { ($0 as? SimulateOptions.Wrong)?.words.contains(reason) == true }
  }

  @Test("commands that are not there, or lack what they need, end with 64", arguments: ["dance", "bench", "scenario"])
  func commands(line: String) async {
    #expect(await SimulateCommand.run(line.split(separator: " ").map(String.init)) == 64)
  }

  @Test("the line that repeats a run says all that the run was made of")
  func repeating() throws {
    let options = try SimulateOptions.parse(["--seeds", "7..9", "--nodes", "5", "--profile", "damage"]).get()
    #expect(options.seeds == 7...9)
    let line = options.line(seed: 8, only: [])
    let again = try SimulateOptions.parse(line.split(separator: " ").dropFirst(5).map(String.init)).get()
    #expect(again.seeds == 8...8 && again.nodes == 5 && again.profile.name == "damage" && again.keepsTrace)
    #expect(again.only == [-1], "no fault has that number")
  }
}
