import Glibc

/// Threads of the system, for work that blocks.
enum Threads {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Runs `body` on a thread of its own, which ends with it.
  @discardableResult
  static func start(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
    var thread = pthread_t()
    // SAFETY: the retained object is released by the one thread that takes it, or here if there is none.
    let passed = Unmanaged.passRetained(Body(body))
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, passed.toOpaque())
    guard code == 0 else {
      passed.release()
      return nil
    }
    return thread
  }

  /// Runs `body` on a thread of its own that nobody waits for.
  static func detach(_ body: @escaping @Sendable () -> Void) {
    if let thread = start(body) { pthread_detach(thread) }
  }

  /// Runs `body` once for each number below `count`, each on a thread of its own, and waits for all.
  static func each(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).map { index in start { body(index) } }
    for case let thread? in threads { pthread_join(thread, nil) }
  }
}
