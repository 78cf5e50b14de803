import FoundationEssentials
import TLS
public import Wire

extension Client {
  /// Asks a cluster for a place in it, with a token: at each of the token's addresses until one answers. That the
  /// cluster is the token's is made sure before the secret is sent.
  /// - Parameters:
  ///   - token: the text of a join token.
  ///   - signingRequest: PKCS #10, DER, of the joiner's own key.
  ///   - address: where the joiner will listen: `HOST:PORT`.
  ///   - zone: where it stands; empty: nowhere in particular.
  ///   - weight: its part of the load against the weights of the others; nil: 1.
  ///   - format: the newest cluster format that it supports.
  public static func enrol(
    token: String, signingRequest: [UInt8], address: String, zone: String, weight: UInt32? = nil, format: UInt32,
    timeoutMilliseconds: Int = 10_000
  ) throws(ClientError) -> WireEnrolResponse {
    let parsed: JoinToken
    do throws(JoinTokenError) {
      parsed = try JoinToken(parsing: token)
    } catch {
      throw .invalid("join: \(error)")
    }
    let client = Client(
      joining: parsed, timeout: timeoutMilliseconds, surroundings: SystemSurroundings(.joiner(parsed), state: nil))
    let answer = try client.enrol(
      parsed, signingRequest: signingRequest, address: address, zone: zone, weight: weight, format: format)
    try check(answer, parsed)
    return answer
  }

  convenience init(joining token: JoinToken, timeout: Int, surroundings: any Surroundings) {
    let file = ClusterFile(
      cluster: token.cluster, addresses: token.addresses, authority: [], certificate: [], privateKey: [])
    self.init(file, timeout: timeout, state: nil, surroundings: surroundings, usesMap: false)
  }

  /// The cluster knows a repeated request by its secret and key: a lost answer is asked for again.
  func enrol(
    _ token: JoinToken, signingRequest: [UInt8], address: String, zone: String, weight: UInt32? = nil, format: UInt32
  ) throws(ClientError) -> WireEnrolResponse {
    var request = WireEnrolRequest()
    request.secret = Data(token.secret)
    request.signingRequest = Data(signingRequest)
    request.address = address
    request.zone = zone
    request.format = format
    if let weight { request.weight = weight }
    return try call(.enrol(request), Attempts("join")) { body in
      if case .enrol(let answer) = body { answer } else { nil }
    }
  }

  /// What a node will trust is checked once more here: the authority by the pin, or by the word of one that has the
  /// pin and is being replaced; the certificate by its name.
  private static func check(_ answer: WireEnrolResponse, _ token: JoinToken) throws(ClientError) {
    do throws(TLSError) {
      let authority = try Certificate(der: answer.authority.array)
      let identity = try Certificate(der: answer.certificate.array).identity
      let pinned = try predecessor(of: authority, answer.trust) ?? authority
      guard try pinned.sha256() == token.pin, answer.cluster == token.cluster,
        case .node(token.cluster, let id) = identity, id.rawValue == answer.node
      else {
        throw .wrongPin
      }
    } catch {
      throw .notThisCluster("join: the cluster's answer is not what the token promises: \(error)")
    }
  }

  /// The authority by whose word another is in its place; nil where there is none.
  private static func predecessor(of authority: Certificate, _ trust: WireTrust) throws(TLSError) -> Certificate? {
    guard !trust.former.isEmpty, trust.authority.array == authority.der else { return nil }
    let former = try Certificate(der: trust.former.array)
    let cross = try Certificate(der: trust.cross.array)
    let (key, crossKey) = (try authority.publicKeyDER(), try cross.publicKeyDER())
    return cross.isSigned(by: former) && key == crossKey ? former : nil
  }
}
