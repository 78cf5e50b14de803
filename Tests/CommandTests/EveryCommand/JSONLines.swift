import FoundationEssentials
import Testing

/// The shape of what `--json` prints: one object a line, versions as strings.
enum JSONLines {
  /// Records an issue for each line of a run that has another shape, and one if there is none.
  static func check(_ run: ProgramRun) {
    let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count > 1 && lines.last == "", "no lines, or one cut short: \(run)")
    for line in lines.dropLast() {
      guard let object = try? JSONDecoder().decode([String: Value].self, from: Data(line.utf8)) else {
        Issue.record("not an object: \(line)")
        continue
      }
      check(object, line)
    }
  }

  private static func check(_ object: [String: Value], _ line: Substring) {
    for (name, value) in object {
      switch value {
      case .number where versions.contains(name): Issue.record("\(name) is a number: \(line)")
      case .object(let inner): check(inner, line)
      case .array(let values):
        for case .object(let inner) in values { check(inner, line) }
      default: break
      }
    }
  }

  /// The members that hold versions: more than a JSON number carries everywhere.
  private static let versions: Set = ["version", "floor", "since", "from", "to", "last_version", "at"]

  private enum Value: Decodable {
    case object([String: Value])
    case array([Value])
    case string, number, boolean, null

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .null
      } else if let object = try? container.decode([String: Value].self) {
        self = .object(object)
      } else if let array = try? container.decode([Value].self) {
        self = .array(array)
      } else if (try? container.decode(Bool.self)) != nil {
        self = .boolean
      } else if (try? container.decode(Double.self)) != nil {
        self = .number
      } else {
        _ = try container.decode(String.self)
        self = .string
      }
    }
  }
}
