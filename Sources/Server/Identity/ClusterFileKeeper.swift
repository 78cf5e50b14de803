import Bytes
import Client
import Environment
import FoundationEssentials
import Node
import TLS
import Wire

/// Keeps the cluster file in the first node's directory up to date, as long as it lies there: it names all members, so
/// that clients find the cluster without that node, and its certificate is followed by another in time. That gives
/// nobody more than they have: who can read the directory has the authority's key. On the node's loop alone.
final class ClusterFileKeeper {
  private unowned let runner: NodeRunner
  private let path: String
  private var isBusy = false
  private var nextLook: Moment
  /// What was told last of a failure: once, however often it repeats itself.
  private var told: String?

  private static let lookMilliseconds: UInt64 = 5_000
  /// How long after a change of the authority the file is looked at, and after an attempt that failed: the former also
  /// while one is being replaced.
  private static let soonMilliseconds: UInt64 = 2_000
  private static let retryMilliseconds: UInt64 = 10_000
  private static let patienceMilliseconds: UInt32 = 10_000

  init(runner: NodeRunner, path: String) {
    self.runner = runner
    self.path = path
    nextLook = runner.clock.now
  }

  /// Whom the node believes has changed: the file's certificate may be of a former authority.
  func lookSoon() {
    nextLook = runner.clock.now.advanced(milliseconds: ClusterFileKeeper.soonMilliseconds)
  }

  func tick() {
    let now = runner.clock.now
    guard !isBusy, now >= nextLook else { return }
    nextLook = now.advanced(milliseconds: ClusterFileKeeper.lookMilliseconds)
    isBusy = true
    runner.run(.background) { [path] () -> ClusterFile? in
      PosixDisk().exists(path) ? try? ClusterFile.load(path) : nil
    } then: { [self] file in
      isBusy = false
      if let file { renewIfDue(file) }
    }
  }

  private func renewIfDue(_ file: ClusterFile) {
    guard !runner.isStopping, let certificate = try? Certificate(der: file.certificate),
      case .client(_, let name, let role) = certificate.identity,
      // Who has revoked it wants no other in its place.
      !runner.revocations.contains(certificate.serial)
    else { return }
    let isDue = Validity.now() >= certificate.validity.renewal
    guard isDue || !certificate.isSigned(by: runner.credentials.trust.authority) else { return }
    guard let key = try? PrivateKey.generate(), let request = try? SigningRequest(key: key).der else { return }
    let life = certificate.validity.notAfter - certificate.validity.notBefore - Validity.backdating
    let asked = WireRequest.with {
      $0.timeoutMs = ClusterFileKeeper.patienceMilliseconds
      if isDue {
        $0.issue = .with {
          $0.signingRequest = .init(request)
          $0.name = name
          $0.role = role.rawValue
          $0.lifetimeSeconds = UInt64(max(1, life))
        }
      } else {
        $0.reissue = .with {
          $0.signingRequest = .init(request)
          $0.serial = .init(certificate.serial)
        }
      }
    }
    isBusy = true
    runner.node.handle(asked, from: .node(runner.node.id)) { [self] body in
      isBusy = false
      if case .failure = body {} else { told = nil }
      switch body {
      case .issue(let answer): change("renewed") { $0.with(answer, key) }
      case .failure(let failure): failed(failure.message)
      default: failed("an answer of another kind")
      }
    }
  }

  private func failed(_ words: String) {
    let isRotating = runner.credentials.trust.former != nil
    nextLook = runner.clock.now.advanced(
      milliseconds: isRotating ? ClusterFileKeeper.soonMilliseconds : ClusterFileKeeper.retryMilliseconds)
    guard words != told else { return }
    told = words
    runner.logger.warning("the certificate in \(path) can't be renewed yet: \(words)")
  }

  /// Has the file name these addresses.
  func name(_ addresses: [String]) {
    change("brought up to date") { file in
      file.addresses == addresses
        ? nil
        : ClusterFile(
          cluster: file.cluster, addresses: addresses, authority: file.authority,
          pastAuthorities: file.pastAuthorities, certificate: file.certificate, privateKey: file.privateKey)
    }
  }

  /// Puts a changed file in the place of the present one, if that lies there and something is to be changed.
  private func change(_ what: String, _ body: @escaping @Sendable (ClusterFile) -> ClusterFile?) {
    runner.run(.background) { [path] () -> String? in
      let disk = PosixDisk()
      guard disk.exists(path) else { return nil }
      do {
        if let changed = body(try ClusterFile.load(path)) { try disk.replace(path, with: Array(changed.text.utf8)) }
        return nil
      } catch {
        return "\(error)"
      }
    } then: { [runner, path] failure in
      if let failure { runner.logger.warning("\(path) can't be \(what): \(failure)") }
    }
  }
}

extension ClusterFile {
  /// The file with another certificate for another key.
  fileprivate func with(_ answer: WireIssueResponse, _ key: PrivateKey) -> ClusterFile? {
    guard let der = try? key.der() else { return nil }
    return ClusterFile(
      cluster: cluster, addresses: addresses, authority: answer.authority.array,
      pastAuthorities: answer.pastAuthorities.map(\.array), certificate: answer.certificate.array, privateKey: der)
  }
}
