import Bytes
import TLS

/// A TLS connection to a node.
final class SystemChannel: Channel {
  private let connection: BlockingConnection
  private let surroundings: SystemSurroundings
  /// Where the session goes once the node has sent a ticket, which comes with its first data.
  private var saveSession: (directory: StateDirectory, name: String)?

  init(
    _ connection: BlockingConnection, _ surroundings: SystemSurroundings,
    saveSession: (directory: StateDirectory, name: String)?
  ) {
    self.connection = connection
    self.surroundings = surroundings
    self.saveSession = saveSession
  }

  /// For poll(2) alone.
  var descriptor: Int32 { connection.descriptor }

  /// Adds the connection to a set, under a number. Where the system refuses: why.
  func join(_ set: ConnectionSet, number: Int) -> String? { set.add(connection, number: number) }

  func send(_ bytes: [UInt8], until deadline: UInt64) throws(ChannelFailure) {
    do throws(ConnectionError) {
      try connection.send(bytes, timeoutMilliseconds: surroundings.left(until: deadline))
    } catch {
      throw ChannelFailure(using: error)
    }
  }

  func receive(into frames: inout FrameReader, until deadline: UInt64) throws(ChannelFailure) -> Bool {
    do throws(ConnectionError) {
      let time = surroundings.left(until: deadline)
      guard try connection.receive(timeoutMilliseconds: time, { frames.append($0) }) else {
        throw .broken(why: "the node closed it", sent: connection.bytesSent)
      }
      if let saving = saveSession, let session = connection.session {
        saving.directory.write(saving.name, session)
        saveSession = nil
      }
      return true
    } catch .timeout(.receive, _, _) {
      return false
    } catch {
      throw ChannelFailure(using: error)
    }
  }

  /// Whether something was received, or the end, that nobody has asked for yet.
  var hasNews: Bool { connection.hasNews }

  /// A node says nothing unasked: what can be read on a connection at rest is its end.
  var isOpen: Bool { !isReadable(within: 0) }

  func close() { connection.close() }

  func isReadable(within milliseconds: Int) -> Bool {
    (try? connection.isReadable(withinMilliseconds: milliseconds)) ?? true
  }
}

extension ChannelFailure {
  /// What it means that no connection was made.
  init(connecting error: ConnectionError) {
    guard case .tls(let reason) = error else {
      self.init(kind: .broken, words: error.description)
      return
    }
    let kind: Kind =
      switch reason.meaning {
      case .notThisCluster: .notThisCluster
      case .refused: .refused
      case .broken: .broken
      case .local: .local
      }
    self.init(kind: kind, words: error.description)
  }

  /// What it means that a connection failed in use. Only an alert about our certificate shows for certain that the
  /// node has read nothing; any other may follow a request that it took in.
  init(using error: ConnectionError) {
    switch error {
    case .tls(.alert): self.init(kind: .broken, words: error.description)
    case .tls(let reason) where reason.isRefusal: self.init(kind: .refused, words: error.description)
    default: self.init(kind: .broken, words: error.description)
    }
  }
}
