extension Client {
  /// A writer that has up to `window` writes under way at once, for streaming loads. Each write's outcome goes to the
  /// closure, on this thread, within a call of the writer.
  public func writer(window: Int = 256, outcome: @escaping PipelinedWriter.OutcomeHandler) -> PipelinedWriter {
    PipelinedWriter(self, window: window, outcome: outcome)
  }
}
