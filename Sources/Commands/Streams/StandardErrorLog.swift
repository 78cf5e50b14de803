import ArgumentParser
import Bytes
import Logging

/// From which level on the log is written.
enum LogLevel: String, CaseIterable, ExpressibleByArgument {
  case trace, debug, info, notice, warning, error, critical

  var level: Logger.Level {
    switch self {
    case .trace: .trace
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    case .critical: .critical
    }
  }
}

/// The log on standard error: one line an event, as text or JSON.
struct StandardErrorLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level
  let label: String
  let format: LogFormat

  /// Sends the log of the whole process to standard error. To be called once.
  static func install(level: LogLevel, format: LogFormat) {
    LoggingSystem.bootstrap { label in
      StandardErrorLog(logLevel: level.level, label: label, format: format)
    }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    let facts = all.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }
    let time = CivilTime.text(milliseconds: ProcessFacts.wallMilliseconds)
    StandardError.write(line(time, event.level, "\(event.message)", facts))
  }

  /// One line of the log, with its newline. No byte of an event can begin another line.
  func line(_ time: String, _ level: Logger.Level, _ message: String, _ facts: [(String, String)]) -> String {
    switch format {
    case .text:
      let pairs = facts.map { " \($0.0)=\(StandardErrorLog.quoted($0.1))" }.joined()
      return "\(time) \(level) \(label): \(Escaping.line(message))\(pairs)\n"
    case .json:
      var object = JSONObject()
      object.string("time", time)
      object.string("level", "\(level)")
      object.string("label", label)
      object.string("message", message)
      for (name, value) in facts { object.string(name, value) }
      return String(decoding: object.line, as: UTF8.self)
    }
  }

  /// A value in quotes where it has a space, a quote or an equals sign.
  private static func quoted(_ value: String) -> String {
    let text = Escaping.text(Array(value.utf8))
    guard text.isEmpty || text.contains(where: { " \"=".contains($0) }) else { return text }
    return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
  }
}
