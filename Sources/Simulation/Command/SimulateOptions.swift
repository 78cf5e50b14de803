/// What the command line of `simulate` asks for.
struct SimulateOptions: Sendable {
  /// Why a command line makes no sense.
  struct Wrong: Error {
    let words: String
  }

  var seeds: ClosedRange<UInt64> = 1...20
  var nodes = 3
  var profile = Profile.standard
  var seconds: UInt64 = 60
  var jobs = 1
  var budget: Double?
  var keepsTrace = false
  var only: Set<Int>?
  /// Into how many stages a soak is parted; no other run has any.
  var stages: Int?
  /// Whether the first seed that fails ends everything, with its first failure alone.
  var stopsAtFailure = false

  /// What each option that takes a value wants.
  private static let wanted = [
    "--seeds": "a number, or two as in 1..20", "--nodes": "a number from 1 to 9", "--profile": "a profile's name",
    "--seconds": "a number above 0", "--jobs": "a number from 1 to 64", "--budget": "a number of seconds above 0",
    "--only": "numbers of faults as in 3,7", "--stages": "a number from 1 to 10000",
  ]

  /// What a command line says beyond `defaults`.
  static func parse(
    _ arguments: [String], over defaults: SimulateOptions = SimulateOptions()
  ) -> Result<SimulateOptions, Wrong> {
    var options = defaults
    var rest = arguments[...]
    while let name = rest.popFirst() {
      if name == "--trace" {
        options.keepsTrace = true
        continue
      }
      if name == "--first-failure" {
        options.stopsAtFailure = true
        continue
      }
      guard let wanted = wanted[name] else { return .failure(Wrong(words: "there is no option \(name)")) }
      guard let value = rest.popFirst() else { return .failure(Wrong(words: "\(name) wants \(wanted)")) }
      guard options.set(name, to: value) else {
        return .failure(Wrong(words: "\(name) wants \(wanted), not \(value)"))
      }
    }
    return .success(options)
  }

  private mutating func set(_ name: String, to value: String) -> Bool {
    switch name {
    case "--seeds":
      let ends = value.split(separator: "..", omittingEmptySubsequences: false).map { UInt64($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last else {
        return false
      }
      seeds = first...last
    case "--nodes":
      guard let number = Int(value), (1...9).contains(number) else { return false }
      nodes = number
    case "--profile":
      guard let found = Profile.named(value) else { return false }
      profile = found
    case "--seconds":
      guard let number = UInt64(value), number > 0 else { return false }
      seconds = number
    case "--jobs":
      guard let number = Int(value), (1...64).contains(number) else { return false }
      jobs = number
    case "--stages":
      guard stages != nil, let number = Int(value), (1...10_000).contains(number) else { return false }
      stages = number
    case "--budget":
      guard let number = Double(value), number > 0 else { return false }
      budget = number
    default:
      let numbers = value.split(separator: ",").map { Int($0) }
      guard !numbers.isEmpty, !numbers.contains(nil) else { return false }
      only = Set(numbers.compactMap { $0 })
    }
    return true
  }

  /// What a soak is made of unless its command line says otherwise: a day, in stages of an hour.
  static var soak: SimulateOptions {
    var options = SimulateOptions()
    options.seeds = 1...1
    options.profile = .soak
    options.seconds = 3_600
    options.stages = 24
    return options
  }

  func settings(seed: UInt64) -> TormentSettings {
    var settings = TormentSettings(seed: seed, nodes: nodes, profile: profile)
    settings.milliseconds = seconds * 1000
    settings.only = only
    settings.keepsTrace = keepsTrace
    return settings
  }

  /// The line that runs one seed again.
  func line(seed: UInt64, only: [Int]? = nil) -> String {
    var line = "swift run -c release simulate --seeds \(seed) --nodes \(nodes) --profile \(profile.name)"
    if seconds != 60 { line += " --seconds \(seconds)" }
    if let only = only ?? self.only?.sorted() {
      line += " --only \(only.isEmpty ? "-1" : only.map(String.init).joined(separator: ","))"
    }
    return line + " --trace"
  }
}
