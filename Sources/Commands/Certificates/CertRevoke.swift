import ArgumentParser
import Bytes
import Client
import TLS

/// `kv cert revoke`: takes certificates back.
struct CertRevokeCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Take certificates back; connections of their holders end at once.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("One certificate, by its serial number in hexadecimal.", valueName: "serial"))
  var serial: ArgumentBytes?

  @Flag(help: "Also a node's without which partitions have no majority.")
  var force = false

  @Argument(help: ArgumentHelp("Whose: client/NAME, or node/ID.", valueName: "holder"))
  var holders: [ArgumentBytes] = []

  mutating func validate() throws {
    guard !holders.isEmpty || serial != nil else { throw ValidationError("expected a holder, or --serial") }
    for holder in holders where !holder.text.hasPrefix("client/") && !holder.text.hasPrefix("node/") {
      throw ValidationError("a holder is client/NAME or node/ID; kv cert list shows all")
    }
    if let serial, CertRevokeCommand.bytes(serial.text) == nil {
      throw ValidationError("--serial takes 2 to 40 hexadecimal digits, as kv cert list shows them")
    }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    let own = try CertificateLine(own: try global.clusterFile())
    guard !holders.contains(where: { $0.text == own.holder }), serial?.text.lowercased() != own.serial else {
      throw .usage("\(own.holder) is who asks: revoke it with another administrator's cluster file")
    }
    var count = 0
    var code = ExitCode.done
    let known = try asking { () throws(ClientError) in try client.certificates().certificates }
    if let serial = serial.flatMap({ CertRevokeCommand.bytes($0.text) }) {
      if !known.contains(where: { $0.serial.array == serial }) {
        global.say("no certificate with this serial number is known: it is revoked for the case that one turns up")
        code = .absent
      }
      count += try asking { () throws(ClientError) in try client.revoke(identity: "", serial: serial, force: force) }
    }
    for holder in holders.map(\.text) {
      let identities = Set(known.filter { CertificateLine($0).holder == holder }.map(\.identity))
      if identities.isEmpty {
        global.say("no certificate of \(Escaping.text(Array(holder.utf8))) is known")
        code = .absent
      }
      for identity in identities.sorted() {
        count += try asking { () throws(ClientError) in try client.revoke(identity: identity, serial: [], force: force)
        }
      }
    }
    if global.json {
      var object = JSONObject()
      object.number("revoked", count)
      try output.write(object.line)
    } else {
      global.say("\(count) \(count == 1 ? "certificate" : "certificates") revoked")
    }
    return code
  }

  /// The bytes of a serial number.
  private static func bytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard (2...40).contains(digits.count), digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16) else { return nil }
      bytes.append(byte)
    }
    // As certificates have it: without leading zeros.
    let number = bytes.drop { $0 == 0 }
    return number.isEmpty ? nil : Array(number)
  }
}
