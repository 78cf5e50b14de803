import Bytes
import Glibc
import HashRing
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
  /// Made for the first connection.
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
    let name = "session-\(identity)-\(address)"
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

  /// Stands for the certificate with which is connected: a session is its holder's, and must not be resumed by another
  /// client of the same user, who may have another role.
  private var identity: String {
    guard case .client(let file) = credentials else { return "joiner" }
    return String(Position(ofBytes: file.certificate).rawValue, radix: 16)
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
      return try TLSContext.client(cluster: file.cluster) { () throws(TLSError) in
        ClientCredentials(
          certificate: try Certificate(der: file.certificate), key: try PrivateKey(der: file.privateKey),
          ca: try Certificate(der: file.authority))
      }
    case .joiner(let token):
      return try TLSContext.enrolClient(caPin: token.pin, cluster: token.cluster)
    }
  }

  /// The milliseconds until a moment, as the connection counts them.
  func left(until deadline: UInt64) -> Int {
    guard deadline > 0 else { return 0 }
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

  func makeWaitSet() -> any WaitSet { SystemWaitSet(self) }
}
