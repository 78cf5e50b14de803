import Bytes
import Glibc
import TLS

/// The real surroundings: the host's clocks, and TLS connections.
final class SystemSurroundings: Surroundings {
  /// As whom to connect.
  enum Credentials {
    /// As a client, or an administrator, of the cluster.
    case client(ClusterFile)
    /// As somebody who wants to join and has a token alone.
    case joiner(JoinToken)
  }

  private let credentials: Credentials
  private let state: StateDirectory?
  /// Made for the first connection: reading certificates and keys takes longer than the rest of a start.
  private var context: TLSContext?

  init(_ credentials: Credentials, state: StateDirectory?) {
    self.credentials = credentials
    self.state = state
  }

  var now: UInt64 { SystemSurroundings.milliseconds(CLOCK_BOOTTIME) }
  var wallMilliseconds: UInt64 { SystemSurroundings.milliseconds(CLOCK_REALTIME) }

  private static func milliseconds(_ clock: Int32) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
  }

  func sleep(milliseconds: UInt64) {
    let end = now + milliseconds
    while now < end {
      let left = end - now
      var pause = timespec(tv_sec: Int(left / 1000), tv_nsec: Int(left % 1000) * 1_000_000)
      nanosleep(&pause, nil)
    }
  }

  func connect(to address: String, until deadline: UInt64) throws(ChannelFailure) -> any Channel {
    guard let place = HostPort(parsing: address) else {
      throw ChannelFailure(kind: .broken, words: "is not an address")
    }
    let name = "session-\(address)"
    let saved = state?.read(name)
    do throws(ConnectionError) {
      let connection = try BlockingConnection(
        host: place.host, port: place.port, context: try tlsContext(), timeoutMilliseconds: left(until: deadline),
        resume: saved?.bytes)
      let isWorthSaving = !connection.isResumed || (saved?.age ?? 0) > ClientLimits.resumedSessionAge
      return SystemChannel(connection, self, saveSession: state.flatMap { isWorthSaving ? ($0, name) : nil })
    } catch {
      throw ChannelFailure(connecting: error)
    }
  }

  private func tlsContext() throws(ConnectionError) -> TLSContext {
    if let context { return context }
    do throws(TLSError) {
      let made = try makeContext()
      context = made
      return made
    } catch {
      throw .tls(error)
    }
  }

  private func makeContext() throws(TLSError) -> TLSContext {
    switch credentials {
    case .client(let file):
      return try TLSContext.client(
        certificate: try Certificate(der: file.certificate), key: try PrivateKey(der: file.privateKey),
        ca: try Certificate(der: file.authority), cluster: file.cluster)
    case .joiner(let token):
      return try TLSContext.enrolClient(caPin: token.pin, cluster: token.cluster)
    }
  }

  /// The milliseconds until a moment, as the connection counts them.
  func left(until deadline: UInt64) -> Int {
    let now = self.now
    return deadline > now ? Int(clamping: deadline - now) : 0
  }

  /// What was received may wait in a connection already; only then is the kernel asked, about all at once.
  func wait(for channels: [any Channel], until deadline: UInt64) -> [Int] {
    guard !channels.isEmpty else {
      sleep(milliseconds: UInt64(left(until: deadline)))
      return []
    }
    var entries: [pollfd] = []
    entries.reserveCapacity(channels.count)
    var ready: [Int] = []
    for (place, channel) in channels.enumerated() {
      guard let channel = channel as? SystemChannel, !channel.hasNews else {
        ready.append(place)
        continue
      }
      entries.append(pollfd(fd: channel.descriptor, events: Int16(POLLIN), revents: 0))
    }
    guard ready.isEmpty else { return ready }
    // A signal ends the wait early, as if nothing had come by the deadline: whoever waits looks at the time himself.
    guard poll(&entries, nfds_t(entries.count), Int32(clamping: left(until: deadline))) > 0 else { return [] }
    return entries.indices.filter { entries[$0].revents != 0 }
  }
}

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

  func send(_ bytes: [UInt8], until deadline: UInt64) throws(ChannelFailure) {
    do throws(ConnectionError) {
      try connection.send(bytes, timeoutMilliseconds: surroundings.left(until: deadline))
    } catch {
      throw ChannelFailure(using: error)
    }
  }

  func receive(until deadline: UInt64) throws(ChannelFailure) -> [UInt8]? {
    do throws(ConnectionError) {
      let time = surroundings.left(until: deadline)
      let bytes = try connection.receive(
        atMost: ClientLimits.receivedBytes.rawValue, timeoutMilliseconds: time)
      guard !bytes.isEmpty else { throw .broken(why: "the node closed it", sent: connection.bytesSent) }
      if let saving = saveSession, let session = connection.session {
        saving.directory.write(saving.name, session)
        saveSession = nil
      }
      return bytes
    } catch .timeout(.receive, _, _) {
      return nil
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
