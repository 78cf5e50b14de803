import Environment

/// One call on a simulated disk, as a fault's condition sees it.
public struct DiskOperation: Sendable {
  /// The calls that a fault can hit.
  public enum Kind: Sendable {
    case open, create, read, size, write, truncate, sync
    case rename, remove, createDirectory, syncDirectory, list, freeBytes
  }

  /// Which call.
  public let kind: Kind
  /// On which path: the old name of a renaming; for calls on an open file the name under which it was opened.
  public let path: String
  /// Where a read or write begins, the new size of a truncation; 0 for other calls.
  public let offset: UInt64
  /// The bytes that a read or write asks for; 0 for other calls.
  public let count: Int
  /// Which of the disk's changes and syncs this one is, counted from 1; 0 for calls that change nothing.
  public let step: Int

  /// Whether the call changes the disk or makes changes durable: what `SimulatedDisk.steps` counts.
  public var isStep: Bool { DiskOperation.isStep(kind) }

  static func isStep(_ kind: Kind) -> Bool {
    switch kind {
    case .create, .write, .truncate, .sync, .rename, .remove, .createDirectory, .syncDirectory: true
    case .open, .read, .size, .list, .freeBytes: false
    }
  }
}

/// Something that goes wrong on a simulated disk.
public struct DiskFault: Sendable {
  /// EIO.
  public static let inputOutput: Int32 = 5
  /// ENOSPC.
  public static let noSpace: Int32 = 28

  let code: Int32
  var remaining: Int?
  let condition: @Sendable (DiskOperation) -> Bool

  /// Fails with `code` the calls that meet a condition: as many as `times` says, or for ever if it is nil.
  public init(
    code: Int32 = DiskFault.inputOutput, times: Int? = 1, when condition: @escaping @Sendable (DiskOperation) -> Bool
  ) {
    self.code = code
    remaining = times
    self.condition = condition
  }

  /// Fails the change or sync with this number (`SimulatedDisk.steps` + 1 is the next).
  public init(code: Int32 = DiskFault.inputOutput, atStep step: Int) {
    self.init(code: code) { $0.step == step }
  }
}
