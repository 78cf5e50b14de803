import Bytes
import Client

extension RequestID {
  /// The request id that an argument means; nil where none was given.
  static func parsed(_ argument: ArgumentBytes?) throws(CommandError) -> RequestID? {
    guard let argument else { return nil }
    guard let id = RequestID(parsing: argument.text) else {
      throw .usage(
        "\(Escaping.text(argument.bytes)) is not a request id: expected UUIDv7/NUMBER, as an unknown outcome prints it")
    }
    return id
  }
}
