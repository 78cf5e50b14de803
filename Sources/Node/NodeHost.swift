public import Bytes
public import Environment
public import Wire

/// What a frame between nodes carries.
public enum PeerFrame: Sendable {
  case request(WireRequest)
  case response(WireResponse)
  case batch([GroupMessage])
  case snapshotChunk(WireSnapshotChunk)
  case snapshotCredit(WireSnapshotCredit)
}

extension PeerFrame {
  /// What frames share a connection: none waits behind one of another kind.
  public enum Way: Sendable, CaseIterable {
    /// What keeps leaders in office and elects others: small, and late as good as lost.
    case urgent
    /// Entries of the log, requests and answers.
    case messages
    /// Replicas' states.
    case states
  }

  /// The frame's way.
  public var way: Way {
    switch self {
    case .batch(let messages): messages.allSatisfy(\.message.isUrgent) ? .urgent : .messages
    case .request(let request): if case .pulse? = request.body { .urgent } else { .messages }
    case .response(let response): if case .pulse? = response.body { .urgent } else { .messages }
    case .snapshotChunk: .states
    case .snapshotCredit: .messages
    }
  }
}

/// Where a job runs.
public enum Lane: Sendable {
  /// The one thread that appends to the shared log.
  case log
  /// What the log waits for to let segments go, or to go on: flushes, and segments made ahead.
  case flush
  /// Compactions, transfers, and all else that takes its time.
  case background
  /// What reads everything for the sake of a check, and gives way to all else.
  case check
}

/// The world around a node: sockets, threads and clocks, real under `Server`, simulated under `Simulation`. All calls
/// are made on the node's thread, and all call-backs come on it.
public protocol NodeHost: AnyObject {
  /// The node's clocks.
  var clock: any Clock { get }
  /// Sends a frame to a node if a connection can be had, in order, without a promise that it arrives.
  func send(_ frame: PeerFrame, to node: NodeID)
  /// Whether so much is on its way to a node, not counting what is urgent and states, that entries had better wait
  /// with the node. The host pumps the node when that is over.
  func isBusy(_ node: NodeID) -> Bool
  /// Sends what `send` has gathered.
  func flush()
  /// Runs a job on a worker thread, jobs of a lane one after the other, and brings its result back.
  func run<Result: Sendable>(
    _ lane: Lane, _ job: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void)
  /// Unpredictable bytes, for secrets.
  func randomBytes(_ count: Int) -> [UInt8]
  /// The certificates' side of enrolment.
  var authority: any Authority { get }
  /// The node can't go on: what it may have promised is no longer certain. It is stopped at once.
  func fatal(_ reason: String)
  /// Something that an operator should read.
  func log(_ level: Severity, _ message: String)
  /// The members, or their addresses, have changed. Whoever shows the certificate of a `refused` node is turned away.
  func membersChanged(_ members: [WireMember], refused: [NodeID])
  /// A member is at another address than the catalog says, by its own word.
  func memberMoved(_ member: NodeID, to address: String)
  /// The node is a member no more, and its directory says so: it is to be ended.
  func departed(_ departure: WireDeparture)
  /// All certificates that are revoked by now, by serial number: none of them opens a connection any more, and those
  /// that they have opened end.
  func revoked(_ serials: [[UInt8]])
  /// Whom the members believe, as far as this node has heard; an older word may follow a newer one after a restart.
  func trustChanged(_ trust: WireTrust)
}

/// How much a log line matters.
public enum Severity: Sendable {
  case debug
  case info
  case warning
  case error
}

/// A certificate that was just signed.
public struct SignedCertificate: Sendable {
  /// The certificate, DER.
  public let der: [UInt8]
  /// What the catalog is to know of it.
  public let record: WireCertificate

  /// A certificate of these parts.
  public init(der: [UInt8], record: WireCertificate) {
    self.der = der
    self.record = record
  }
}

/// The cluster's authority as a member has it.
public struct SigningAuthority: Sendable {
  /// The cluster's name.
  public let cluster: String
  /// The authority's certificate, DER.
  public let certificate: [UInt8]
  /// Its private key, sealed to this node.
  public let sealedKey: [UInt8]
}

/// An authority that takes another's place.
public struct SucceedingAuthority: Sendable {
  /// Its certificate, DER.
  public let certificate: [UInt8]
  /// Its key in a certificate that the one before has signed.
  public let cross: [UInt8]
  /// Its private key, sealed to each of the members in turn.
  public let sealedKeys: [[UInt8]]

  /// An authority of these parts.
  public init(certificate: [UInt8], cross: [UInt8], sealedKeys: [[UInt8]]) {
    self.certificate = certificate
    self.cross = cross
    self.sealedKeys = sealedKeys
  }
}

/// A message's signature by a node, and what shows whose it is.
public struct NodeSignature: Sendable {
  /// The signature.
  public let signature: [UInt8]
  /// The node's certificate, DER.
  public let certificate: [UInt8]
  /// That of the authority which has signed it.
  public let authority: [UInt8]

  /// A signature of these parts.
  public init(signature: [UInt8], certificate: [UInt8], authority: [UInt8]) {
    self.signature = signature
    self.certificate = certificate
    self.authority = authority
  }
}

/// What the node needs of cryptography: done by `Server` with the system's libcrypto.
public protocol Authority {
  /// SHA-256.
  func digest(_ bytes: [UInt8]) -> [UInt8]
  /// The public key in a certificate signing request whose signature holds; nil otherwise.
  func publicKey(inRequest request: [UInt8]) -> [UInt8]?
  /// Seals the authority's private key, itself sealed to this node, to another node's public key.
  func reseal(_ sealedKey: [UInt8], to publicKey: [UInt8]) -> [UInt8]?
  /// Signs a node's certificate with the authority's key.
  func nodeCertificate(request: [UInt8], node: NodeID, by authority: SigningAuthority) -> SignedCertificate?
  /// Signs a client's; nil also where name or role is none.
  func clientCertificate(
    request: [UInt8], name: String, role: String, lifetimeSeconds: UInt64, by authority: SigningAuthority
  ) -> SignedCertificate?
  /// Signs a certificate of the same client as another one and with the same end, in seconds since 1970.
  func followingCertificate(
    request: [UInt8], identity: String, notAfter: UInt64, by authority: SigningAuthority
  ) -> SignedCertificate?
  /// Makes an authority to follow this one, for members of these public keys.
  func successor(of authority: SigningAuthority, members publicKeys: [[UInt8]]) -> SucceedingAuthority?
  /// Signs a message with the node's own key.
  func sign(_ message: [UInt8]) -> NodeSignature?
  /// A join token in the form that is pasted.
  func text(of token: WireJoinToken) -> String
  /// What `kv status` says of this process.
  func processStatus(into status: inout WireStatusResponse)
}
