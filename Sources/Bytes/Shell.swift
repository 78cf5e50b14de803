/// The shell's way to write arguments (POSIX.1-2017, Shell Command Language, 2.2).
public enum Shell {
  /// The text as one word of a command line to paste.
  public static func quoted(_ text: String) -> String {
    let plain = !text.isEmpty && text.utf8.allSatisfy { isPlain($0) }
    return plain
      ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "/._-+:@%".utf8.contains(byte)
    }
  }
}
