import Environment
import NIOCore
import NIOPosix
import Node

/// The node's worker threads: one that appends to the log; one for what the log will wait for and one for everything
/// else that blocks, which stand back while the node is busy; and one for checks, which gives way to all others.
final class Workers {
  private let loop: any EventLoop
  private let log = NIOThreadPool(numberOfThreads: 1)
  private let flush = NIOThreadPool(numberOfThreads: 1)
  private let background = NIOThreadPool(numberOfThreads: 1)
  private let check = NIOThreadPool(numberOfThreads: 1)

  init(loop: any EventLoop) {
    self.loop = loop
    log.start()
    flush.start()
    background.start()
    check.start()
    for pool in [flush, background] { pool.submit { _ in Scheduling.standBack() } }
    check.submit { _ in Scheduling.giveWay() }
  }

  /// Runs a job on a lane's thread and brings its result back to the loop.
  func run<Result: Sendable>(
    _ lane: Lane, _ job: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void
  ) {
    let then = NIOLoopBound(then, eventLoop: loop)
    let pool =
      switch lane {
      case .log: log
      case .flush: flush
      case .background: background
      case .check: check
      }
    pool.submit { [loop] state in
      guard state == .active else { return }
      let step = lane == .check ? IdleStep.begin() : nil
      let result = job()
      loop.execute { then.value(result) }
      step?.end()
    }
  }

  /// Lets what runs end and takes nothing new.
  func stop() {
    for pool in [log, flush, background, check] { try? pool.syncShutdownGracefully() }
  }
}
