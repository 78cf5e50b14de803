import ArgumentParser
import Bytes
import Wire

/// A node that might join, as `kv plan --join` takes it: `ZONE`, or `ZONE:WEIGHT`.
struct PlannedJoiner: ExpressibleByArgument {
  let zone: String
  let weight: UInt32

  init?(argument: String) {
    let text = String(decoding: ArgumentBytes.decode(argument), as: UTF8.self)
    guard let colon = text.lastIndex(of: ":") else {
      (zone, weight) = (text, 1)
      return
    }
    guard let weight = UInt32(text[text.index(after: colon)...]), weight <= Limits.weight else { return nil }
    (zone, self.weight) = (String(text[..<colon]), weight)
  }

  /// The joiner as the cluster is asked about it.
  var wire: WirePlanRequest.Joiner {
    var joiner = WirePlanRequest.Joiner()
    joiner.zone = zone
    joiner.weight = weight
    return joiner
  }
}
