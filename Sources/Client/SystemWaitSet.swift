import TLS

/// TLS connections that are waited for together.
final class SystemWaitSet: WaitSet {
  private let surroundings: SystemSurroundings
  private let connections = ConnectionSet()

  init(_ surroundings: SystemSurroundings) {
    self.surroundings = surroundings
  }

  func add(_ channel: any Channel, number: Int) throws(ChannelFailure) {
    guard let channel = channel as? SystemChannel else { return }
    if let why = channel.join(connections, number: number) {
      throw ChannelFailure(kind: .local, words: "the connection can't be waited for: \(why)")
    }
  }

  func wait(until deadline: UInt64) -> [Int] {
    connections.wait(milliseconds: surroundings.left(until: deadline))
  }
}
