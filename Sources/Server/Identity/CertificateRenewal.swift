import Bytes
import Client
import Environment
import NIOCore
import Node
import TLS
import Wire

/// Gets the node its next certificate after two thirds of the present one's life, or when its authority is being
/// replaced, from whichever node leads the catalog, and has it used without a restart. On the node's loop alone.
final class CertificateRenewal {
  private unowned let runner: NodeRunner
  private let directory: String
  private var isAsking = false
  private var nextLook: Moment

  /// How often the clock is looked at.
  private static let lookMilliseconds: UInt64 = 1_000
  /// How long after an attempt that failed the next one follows, at most: less where little is left.
  private static let retryMilliseconds: UInt64 = 60_000
  /// The same while the authority is being replaced.
  private static let rotationRetryMilliseconds: UInt64 = 5_000
  /// How long the catalog's leader may take.
  private static let patienceMilliseconds: UInt32 = 10_000

  init(runner: NodeRunner, directory: String) {
    self.runner = runner
    self.directory = directory
    nextLook = runner.clock.now
  }

  /// Asks for the next certificate, if it is time to.
  func tick() {
    let now = runner.clock.now
    guard !isAsking, now >= nextLook else { return }
    nextLook = now.advanced(milliseconds: CertificateRenewal.lookMilliseconds)
    let credentials = runner.credentials
    guard !credentials.isOfPresent || Validity.now() >= credentials.certificate.validity.renewal else { return }
    isAsking = true
    guard let request = try? SigningRequest(key: credentials.key).der else { return failed("no signing request") }
    let asked = WireRequest.with {
      $0.timeoutMs = CertificateRenewal.patienceMilliseconds
      $0.renew = .with {
        $0.node = runner.node.id.rawValue
        $0.signingRequest = .init(request)
      }
    }
    runner.node.handle(asked, from: .node(runner.node.id)) { [self] body in
      switch body {
      case .renew(let answer): take(answer.certificate.array)
      case .failure(let failure): failed(failure.message)
      default: failed("an answer of another kind")
      }
    }
  }

  private func failed(_ words: String) {
    isAsking = false
    let left = UInt64(max(0, runner.credentials.certificate.validity.notAfter - Validity.now()))
    let most =
      runner.credentials.isOfPresent
      ? CertificateRenewal.retryMilliseconds : CertificateRenewal.rotationRetryMilliseconds
    let pause = min(most, max(CertificateRenewal.lookMilliseconds, left * 50))
    nextLook = runner.clock.now.advanced(milliseconds: pause)
    runner.logger.warning("the node's certificate can't be renewed yet: \(words)")
  }

  /// Writes the certificate, and uses it for connections from then on.
  private func take(_ der: [UInt8]) {
    let present = runner.credentials
    guard let certificate = try? Certificate(der: der), certificate.identity == present.certificate.identity,
      (try? certificate.publicKeyDER()) == (try? present.key.publicKeyDER())
    else { return failed("the answer is no certificate of this node") }
    let renewed = present.renewed(certificate)
    guard renewed.isOfPresent else { return failed("the answer is of another authority") }
    runner.run(.background) { [directory] () -> String? in
      do throws(DiskError) {
        try renewed.saveCertificate(to: directory, on: PosixDisk())
        return nil
      } catch {
        return "\(error)"
      }
    } then: { [self] failure in
      if let failure { return failed(failure) }
      isAsking = false
      do throws(ServerError) {
        // Whom the node believes may have changed since the question.
        try runner.use(runner.credentials.renewed(certificate))
        runner.logger.info("the node's certificate is renewed; it is valid until \(certificate.validity.notAfter)")
      } catch {
        failed("\(error)")
      }
    }
  }

  /// Before the node serves: a certificate that has expired while the node was down opens no connection to ask on. So
  /// the members are asked as by a joiner, with the key in the place of a token.
  static func replacingExpired(
    _ credentials: NodeCredentials, _ opened: OpenedDirectory, _ directory: String
  ) throws(ServerError) -> NodeCredentials {
    let stored = opened.identity.stored
    let others = opened.members.filter { $0.id != stored.node }.map(\.address)
    guard credentials.certificate.validity.notAfter < Validity.now(), !others.isEmpty else { return credentials }
    do {
      let token = JoinToken(
        cluster: stored.cluster, pin: try credentials.trust.authority.sha256(),
        secret: [UInt8](repeating: 0, count: 32), addresses: Array(others.prefix(JoinToken.mostAddresses)))
      let answer = try Client.enrol(
        token: token.encode(), signingRequest: try SigningRequest(key: credentials.key).der, address: stored.address,
        zone: "", format: NodeDirectory.format)
      let certificate = try Certificate(der: answer.certificate.array)
      guard certificate.identity == credentials.certificate.identity else {
        throw ServerError.identity(path: directory, words: "the members take this node for another one")
      }
      let trust = answer.hasTrust ? try NodeTrust(answer.trust) : credentials.trust
      let renewed = NodeCredentials(key: credentials.key, certificate: certificate, trust: trust)
      try renewed.save(to: directory, on: PosixDisk())
      return renewed
    } catch {
      throw .identity(
        path: directory + "/identity",
        words: "the node's certificate has expired, and no other member gives it a new one: \(error)")
    }
  }
}
