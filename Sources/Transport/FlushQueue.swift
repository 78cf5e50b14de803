internal import NIOCore

/// The connections of one event loop whose output leaves at the end of the loop's turn: one task for all of them.
final class FlushQueue {
  private let loop: NIOIsolatedEventLoop
  private var waiting: [TLSHandler] = []

  /// A queue of the loop on which this is called.
  init(_ loop: any EventLoop) {
    self.loop = loop.assumeIsolated()
  }

  /// Adds a connection that isn't in the queue.
  func add(_ handler: TLSHandler) {
    waiting.append(handler)
    if waiting.count == 1 { loop.execute { self.flushAll() } }
  }

  private func flushAll() {
    let batch = waiting
    waiting = []
    for handler in batch { handler.flushInTurn() }
  }
}
