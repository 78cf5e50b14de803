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
  /// Whether the first seed that fails ends everything, with its first failure alone.
  var stopsAtFailure = false

  static func parse(_ arguments: [String]) -> Result<SimulateOptions, Wrong> {
    var options = SimulateOptions()
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
      guard let value = rest.popFirst() else { return .failure(Wrong(words: "\(name) wants a value")) }
      guard options.set(name, to: value) else { return .failure(Wrong(words: "\(name) \(value) makes no sense")) }
    }
    return .success(options)
  }

  private mutating func set(_ name: String, to value: String) -> Bool {
    switch name {
    case "--seeds":
      let dots = value.split(separator: ".", omittingEmptySubsequences: true).compactMap { UInt64($0) }
      guard let first = dots.first, dots.count <= 2, dots.last ?? first >= first else { return false }
      seeds = first...(dots.last ?? first)
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
    case "--budget":
      guard let number = Double(value), number > 0 else { return false }
      budget = number
    case "--only":
      only = Set(value.split(separator: ",").compactMap { Int($0) })
    default: return false
    }
    return true
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
