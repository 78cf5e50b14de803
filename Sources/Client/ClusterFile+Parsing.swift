import Bytes
import TLS

extension ClusterFile {
  /// Reads a file's text; `path` is for the error, which names the line that is wrong.
  public init(parsing text: [UInt8], path: String) throws(ClusterFileError) {
    var parser = try Parser(text, path: path)
    try parser.readLines()
    let cluster = try parser.required(parser.cluster, "cluster")
    guard !parser.addresses.isEmpty else { throw parser.absent("address") }
    self.init(
      cluster: cluster, addresses: parser.addresses, authority: try parser.required(parser.authority, "authority"),
      pastAuthorities: parser.pastAuthorities,
      certificate: try parser.required(parser.certificate, "certificate"),
      privateKey: try parser.required(parser.key, "key"))
  }

  private struct Parser {
    let path: String
    let lines: [ArraySlice<UInt8>]
    var cluster: String?
    var addresses: [String] = []
    var authority: [UInt8]?
    var pastAuthorities: [[UInt8]] = []
    var certificate: [UInt8]?
    var key: [UInt8]?

    init(_ text: [UInt8], path: String) throws(ClusterFileError) {
      self.path = path
      let limit = ClientLimits.clusterFileBytes
      guard text.count <= limit.rawValue else {
        throw .malformed(path: path, line: 0, expected: "at most \(limit)", found: "\(text.count) bytes")
      }
      lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
        line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      }
    }

    mutating func readLines() throws(ClusterFileError) {
      guard let first = lines.first, first.elementsEqual(ClusterFile.head.utf8) else {
        throw malformed(1, "'\(ClusterFile.head)'", Parser.shown(lines.first ?? []))
      }
      for (place, line) in lines.enumerated().dropFirst() where !line.isEmpty && line.first != UInt8(ascii: "#") {
        try read(line, number: place + 1)
      }
    }

    private mutating func read(_ line: ArraySlice<UInt8>, number: Int) throws(ClusterFileError) {
      guard let space = line.firstIndex(of: UInt8(ascii: " ")) else {
        throw malformed(number, "a name, a space and a value", Parser.shown(line))
      }
      let name = String(decoding: line[..<space], as: UTF8.self)
      let value = line[line.index(after: space)...]
      switch name {
      case "cluster":
        let text = String(decoding: value, as: UTF8.self)
        guard PeerIdentity.isName(text) else { throw malformed(number, "a cluster's name", Parser.shown(value)) }
        try set(&cluster, to: text, name, number)
      case "address":
        let text = String(decoding: value, as: UTF8.self)
        guard HostPort(parsing: text) != nil else { throw malformed(number, "HOST:PORT", Parser.shown(value)) }
        guard addresses.count < Limits.nodes else {
          throw malformed(number, "at most \(Limits.nodes) addresses", "more")
        }
        addresses.append(text)
      case "authority": try set(&authority, to: try decode(value, number), name, number)
      case "past-authority": pastAuthorities.append(try decode(value, number))
      case "certificate": try set(&certificate, to: try decode(value, number), name, number)
      case "key": try set(&key, to: try decode(value, number), name, number)
      default:
        throw malformed(
          number, "cluster, address, authority, past-authority, certificate or key", Parser.shown(line[..<space]))
      }
    }

    private func set<Value>(
      _ field: inout Value?, to value: Value, _ name: String, _ line: Int
    ) throws(ClusterFileError) {
      guard field == nil else { throw malformed(line, "one line '\(name)'", "a second one") }
      field = value
    }

    private func decode(_ value: ArraySlice<UInt8>, _ line: Int) throws(ClusterFileError) -> [UInt8] {
      guard let bytes = Base64.decode(value), !bytes.isEmpty else {
        // What is there may be a part of a private key: it isn't repeated.
        throw malformed(line, "base64", "\(value.count) bytes that are not")
      }
      return bytes
    }

    func required<Value>(_ field: Value?, _ name: String) throws(ClusterFileError) -> Value {
      guard let field else { throw absent(name) }
      return field
    }

    func absent(_ name: String) -> ClusterFileError {
      malformed(0, "a line '\(name) …'", "none")
    }

    private func malformed(_ line: Int, _ expected: String, _ found: String) -> ClusterFileError {
      .malformed(path: path, line: line, expected: expected, found: found)
    }

    private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
      bytes.isEmpty ? "nothing" : "'\(Escaping.text(Array(bytes.prefix(60))))'"
    }
  }
}
