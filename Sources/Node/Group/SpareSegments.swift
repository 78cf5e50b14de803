import Bytes
import Environment
import Log

/// Has segments made ahead beside the log, so that a batch that fills one finds the next.
final class SpareSegments {
  private unowned let node: Node
  private let log: SharedLog
  /// When an order may be tried again that failed.
  private var notBefore = Moment(rawValue: 0)

  init(node: Node, log: SharedLog) {
    self.node = node
    self.log = log
  }

  /// Whether the log may be asked for an order.
  var mayOrder: Bool { node.now >= notBefore }

  /// Carries out what the log ordered.
  func make(_ order: SpareSegment) {
    node.host.run(.flush) {
      Result { () throws(DiskError) in try order.make() }
    } then: { [self] result in
      if case .failure(let error) = result {
        // The log makes its segment itself when it comes to that.
        notBefore = node.now.advanced(milliseconds: Limits.spareRetryMilliseconds)
        node.host.log(.warning, "a segment of the log could not be made ahead: \(error)")
        if error.isDiskFull { node.space.ranOut(error) }
      }
      let isMade = if case .success = result { true } else { false }
      node.host.run(.log) { [log] in
        Result { () throws(LogError) in try log.endSpare(isMade: isMade) }
      } then: { [self] result in
        switch result {
        case .success: break
        case .failure(.full(let error)): node.space.ranOut(error)
        case .failure(let error): node.host.fatal("the log can't be written: \(error)")
        }
      }
    }
  }
}
