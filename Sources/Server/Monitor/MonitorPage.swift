import FoundationEssentials

/// What the monitor serves, by path.
enum MonitorPage: String {
  case status = "/"
  case statusDocument = "/status.json"
  case metrics = "/metrics"
  /// Whether the process lives: its loop answers.
  case health = "/healthz"
  /// Whether it should get requests.
  case readiness = "/readyz"

  /// Whether the answer needs a look at the node.
  var showsNode: Bool { self != .status }

  /// The answer; the look is there where `showsNode`.
  func answer(_ snapshot: MonitorSnapshot?) -> HTTPAnswer {
    guard let snapshot else {
      return HTTPAnswer(type: "text/html; charset=utf-8", content: Array(StatusPage.html.utf8))
    }
    switch self {
    case .metrics:
      return HTTPAnswer(type: "text/plain; version=0.0.4; charset=utf-8", content: Array(snapshot.metrics.utf8))
    case .health: return .only(.ok)
    case .readiness:
      let obstacles = snapshot.obstacles
      guard obstacles.isEmpty else {
        let words = obstacles.joined(separator: "\n") + "\n"
        return HTTPAnswer(status: .unavailable, content: Array(words.utf8))
      }
      return .only(.ok)
    case .status, .statusDocument:
      guard let content = try? JSONEncoder().encode(StatusDocument(snapshot)) else { return .only(.unavailable) }
      return HTTPAnswer(type: "application/json", content: Array(content))
    }
  }
}
