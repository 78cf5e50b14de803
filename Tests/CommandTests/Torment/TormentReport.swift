import Synchronization

@testable import Commands

/// What a run with real processes measured, and what it found wrong: gathered while it goes on, so that one failure
/// doesn't hide the next.
final class TormentReport: Sendable {
  /// So many problems of a kind are told one by one.
  private static let told = 10

  private struct Content {
    var figures: [String] = []
    var problems: [String] = []
  }

  private let name: String
  private let content = Mutex(Content())
  private let began = ProcessFacts.steadyMilliseconds

  init(_ name: String) { self.name = name }

  /// A figure or an event: printed at once, with the time since the start, and told again with a failure.
  func note(_ words: String) {
    let time = ProcessFacts.steadyMilliseconds - began
    let line = "\(name) \(time / 1000).\(time % 1000 / 100) s: \(words)"
    content.withLock { $0.figures.append(line) }
    StandardError.write(line + "\n")
  }

  /// Something that must not be.
  func fail(_ words: String) { fail([words]) }

  /// Things that must not be, the first of them in words.
  func fail(_ problems: [String]) {
    guard !problems.isEmpty else { return }
    let rest = problems.count - TormentReport.told
    let told = problems.prefix(TormentReport.told) + (rest > 0 ? ["… and \(rest) more like this"] : [])
    content.withLock { $0.problems += told }
  }

  /// Everything, where something was wrong; nil where nothing was.
  var failure: String? {
    content.withLock { content in
      guard !content.problems.isEmpty else { return nil }
      return (content.problems + ["What happened:"] + content.figures).joined(separator: "\n")
    }
  }
}
