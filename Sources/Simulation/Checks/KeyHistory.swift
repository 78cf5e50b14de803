import Bytes

/// What one key is, and what the operations on it do: the model that a key's history is held against.
///
/// A write that took effect has a version, so versions decide the order of writes; a history fits if that order agrees
/// with real time and every read, condition and deletion saw the state before it.
struct KeyState: Hashable {
  /// The version of the last write; zero before the first.
  var version = Version.zero
  var isPresent = false

  /// What conditions compare with: zero where the key is absent.
  var shown: Version { isPresent ? version : .zero }
}

enum KeyHistory {
  typealias Step = Linearizability<KeyState>.Step

  /// The step of an operation; nil where it says nothing of the latest state. `applied` is the version at which a write
  /// took effect, as far as the nodes' logs have it.
  static func step(_ operation: Operation, applied: Version?) -> Step? {
    switch (operation.intent, operation.outcome) {
    case (.write(let value, let condition), .done(let version)) where version > .zero:
      return write(operation, value != nil, condition, version, end: operation.answered)
    case (.write(let value, let condition), .unknown):
      return applied.map { write(operation, value != nil, condition, $0, end: .max) }
    case (.write, .done):
      // A deletion that found nothing.
      return look(operation) { !$0.isPresent }
    case (.write(_, let condition), .conditionFalse(let shown)):
      return look(operation) { $0.shown == shown && !condition.holds($0) }
    case (.read, .found(_, let version)):
      return look(operation) { $0.isPresent && $0.version == version }
    case (.read, .absent):
      return look(operation) { !$0.isPresent }
    default:
      return nil
    }
  }

  private static func look(_ operation: Operation, _ sees: @escaping (KeyState) -> Bool) -> Step {
    Step(begin: operation.sent, end: operation.answered) { sees($0) ? $0 : nil }
  }

  private static func write(
    _ operation: Operation, _ puts: Bool, _ condition: Intent.Condition, _ version: Version, end: UInt64
  ) -> Step {
    Step(begin: operation.sent, end: end) { state in
      guard version > state.version, condition.holds(state), puts || state.isPresent else { return nil }
      return KeyState(version: version, isPresent: puts)
    }
  }
}

extension Intent.Condition {
  func holds(_ state: KeyState) -> Bool {
    switch self {
    case .none: true
    case .absent: !state.isPresent
    case .version(let version): state.shown == version
    }
  }
}
