public import Bytes

extension Client {
  /// A pipeline that has up to `window` writes and reads under way at once. Each one's outcome goes to the closure, on
  /// this thread, within a call of the pipeline.
  public func pipeline(window: Int, outcome: @escaping Pipeline.OutcomeHandler) -> Pipeline {
    Pipeline(self, window: window, outcome: outcome)
  }

  /// A pipeline for writes alone, for streaming loads: the outcome of each is its version.
  public func writer(
    window: Int = 256, outcome: @escaping (_ index: Int, _ outcome: Result<Version, ClientError>) -> Void
  ) -> Pipeline {
    Pipeline(self, window: window) { index, result in
      outcome(
        index,
        result.map { answer in
          if case .written(let version) = answer { version } else { .zero }
        })
    }
  }
}
