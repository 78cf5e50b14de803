import Environment

/// One call on a simulated disk, as a fault's condition sees it.
public struct DiskOperation: Sendable {
  /// The calls that a fault can hit.
  public enum Kind: Sendable {
    case open, create, read, size, write, truncate, sync
    case rename, link, remove, createDirectory, syncDirectory, list, freeBytes
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
    case .create, .write, .truncate, .sync, .rename, .link, .remove, .createDirectory, .syncDirectory: true
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

  /// What becomes of a call that is hit.
  enum Effect: Sendable {
    case fails(Int32)
    /// A write that says it was done: it can be read until the machine restarts, and never reaches the disk.
    case isLost
    /// A write that says it was done, and went to another place of the file, so many bytes behind.
    case strays(by: Int)
  }

  let effect: Effect
  var remaining: Int?
  let condition: @Sendable (DiskOperation) -> Bool

  /// Loses the next write that meets a condition, without a word.
  public static func lostWrite(when condition: @escaping @Sendable (DiskOperation) -> Bool) -> DiskFault {
    DiskFault(effect: .isLost, remaining: 1) { $0.kind == .write && condition($0) }
  }

  /// Lets the next write that meets a condition go elsewhere in its file, without a word.
  public static func strayWrite(
    by bytes: Int, when condition: @escaping @Sendable (DiskOperation) -> Bool
  ) -> DiskFault {
    DiskFault(effect: .strays(by: bytes), remaining: 1) { $0.kind == .write && condition($0) }
  }

  private init(effect: Effect, remaining: Int?, condition: @escaping @Sendable (DiskOperation) -> Bool) {
    self.effect = effect
    self.remaining = remaining
    self.condition = condition
  }

  /// Fails with `code` the calls that meet a condition: as many as `times` says, or for ever if it is nil.
  public init(
    code: Int32 = DiskFault.inputOutput, times: Int? = 1, when condition: @escaping @Sendable (DiskOperation) -> Bool
  ) {
    self.init(effect: .fails(code), remaining: times, condition: condition)
  }

  /// Fails the change or sync with this number (`SimulatedDisk.steps` + 1 is the next).
  public init(code: Int32 = DiskFault.inputOutput, atStep step: Int) {
    self.init(code: code) { $0.step == step }
  }
}
