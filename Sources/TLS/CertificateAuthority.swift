internal import COpenSSL

/// A cluster's certificate authority: its certificate and key.
public final class CertificateAuthority: Sendable {
  /// The CA's own certificate, which every member and client of the cluster trusts and nothing else.
  public let certificate: Certificate
  /// The key that signs. Whoever has it can be anyone in the cluster.
  public let key: PrivateKey
  /// The cluster for which certificates are signed.
  public let clusterID: String

  private init(certificate: Certificate, key: PrivateKey, clusterID: String) {
    self.certificate = certificate
    self.key = key
    self.clusterID = clusterID
  }

  /// A CA for a new cluster, with a new key.
  public static func create(
    clusterID: String, validity: Validity = .authority
  ) throws(TLSError) -> CertificateAuthority {
    guard PeerIdentity.isName(clusterID) else { throw .invalid("the cluster id \"\(clusterID)\"") }
    let key = try PrivateKey.generate()
    let certificate = try draft(clusterID, key, validity, issuer: nil).sign(with: key)
    return CertificateAuthority(certificate: certificate, key: key, clusterID: clusterID)
  }

  /// Another CA for the same cluster, with a new key, and that key in a certificate that this CA has signed: by it,
  /// who trusts this CA alone can follow ("NewWithOld", RFC 4210 §4.4.1).
  ///
  /// Both CAs have one name, which tells nobody apart: a certificate's authority key identifier says whose it is. So
  /// the cross certificate is self-issued, and no link of the path that `pathlen` counts (RFC 5280 §4.2.1.9).
  public func successor(
    validity: Validity = .authority
  ) throws(TLSError) -> (authority: CertificateAuthority, cross: Certificate) {
    let next = try CertificateAuthority.create(clusterID: clusterID, validity: validity)
    let crossValidity = Validity(
      notBefore: validity.notBefore, notAfter: min(validity.notAfter, certificate.validity.notAfter))
    let draft = try CertificateAuthority.draft(clusterID, next.key, crossValidity, issuer: certificate)
    return (next, try draft.sign(with: key))
  }

  private static func draft(
    _ clusterID: String, _ key: PrivateKey, _ validity: Validity, issuer: Certificate?
  ) throws(TLSError) -> CertificateDraft {
    let draft = try CertificateDraft.make(validity: validity, publicKey: key.pointer)
    try draft.setName(clusterID, issuer: issuer)
    try draft.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
    try draft.add(NID_key_usage, "critical,keyCertSign,cRLSign")
    try draft.add(NID_subject_key_identifier, "hash")
    if let issuer { try draft.add(NID_authority_key_identifier, "keyid", issuer: issuer) }
    return draft
  }

  /// Reads a CA from the DER forms of its certificate and key, which must belong together.
  public convenience init(certificateDER: [UInt8], keyDER: [UInt8]) throws(TLSError) {
    let certificate = try Certificate(der: certificateDER)
    let key = try PrivateKey(der: keyDER)
    guard let clusterID = certificate.authorityOf else { throw .invalid("a certificate that is not a cluster's CA") }
    guard X509_check_private_key(certificate.pointer, key.pointer) == 1 else {
      throw .invalid("a CA whose key is not that of its certificate")
    }
    self.init(certificate: certificate, key: key, clusterID: clusterID)
  }

  /// Signs a certificate for the holder of a request's key. The identity is the caller's word, never the request's.
  public func sign(
    _ request: SigningRequest, identity: PeerIdentity, validity: Validity = .leaf
  ) throws(TLSError) -> Certificate {
    guard identity.cluster == clusterID else {
      throw .invalid("an identity of cluster \(identity.cluster) for the CA of cluster \(clusterID)")
    }
    guard let uri = identity.uri else { throw .invalid("the identity \(identity): a name does not fit") }
    let draft = try CertificateDraft.make(validity: validity, publicKey: try request.verifiedKey())
    let usage: String
    switch identity {
    case .node(_, let id):
      usage = "serverAuth,clientAuth"
      try draft.setName("node \(id)", issuer: certificate)
    case .client(_, let name, _):
      usage = "clientAuth"
      try draft.setName(name, issuer: certificate)
    }
    try draft.add(NID_basic_constraints, "critical,CA:FALSE")
    try draft.add(NID_key_usage, "critical,digitalSignature")
    try draft.add(NID_ext_key_usage, usage)
    try draft.add(NID_subject_key_identifier, "hash")
    try draft.add(NID_authority_key_identifier, "keyid", issuer: certificate)
    try draft.add(uri: uri)
    return try draft.sign(with: key)
  }
}
