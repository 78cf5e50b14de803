extension WireRequest {
  /// Notes of a write that a copy of it was perhaps applied, or will be: where nothing is written, that is to be recorded
  /// as the outcome of its id.
  package mutating func mustSettle() {
    body?.mustSettle()
  }
}

extension WireRequest.OneOf_Body {
  /// What it notes of a request.
  package mutating func mustSettle() {
    switch self {
    case .write(var write):
      write.settle = true
      self = .write(write)
    case .batch(var batch):
      batch.settle = true
      self = .batch(batch)
    default: break
    }
  }
}
