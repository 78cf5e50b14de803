import Bytes
import Client

/// Goes through the changes of a watch until somebody or something ends it, and keeps its checkpoint.
final class WatchFollower {
  private let stream: WatchStream
  private let signals: StopSignals
  private let checkpoint: Checkpoint?
  /// Whether every change is to be counted at once, not just soon.
  private let savesEach: Bool
  private let limit: Int?
  private let end: UInt64?
  private let global: GlobalOptions
  private let output: OutputStream?
  private var count = 0
  private var troubledSince: UInt64?

  /// How often signals and the time are looked at, in milliseconds.
  private static let turn: UInt64 = 200
  /// The cluster may be out of reach for so long before that is told, and then is told again.
  private static let patience: UInt64 = 10_000

  /// - Parameters:
  ///   - end: until when to watch, by the steady clock in milliseconds; nil: without end.
  ///   - output: where changes go; nil: nowhere. Without a reader the watch ends.
  init(
    stream: WatchStream, signals: StopSignals, checkpoint: Checkpoint?, savesEach: Bool, limit: Int?,
    end: UInt64?, output: OutputStream?, global: GlobalOptions
  ) {
    self.stream = stream
    self.signals = signals
    self.checkpoint = checkpoint
    self.savesEach = savesEach
    self.limit = limit
    self.end = end
    self.output = output
    self.global = global
  }

  /// Gives every change to `act`. What it does for one change is complete before the checkpoint counts it.
  func follow(_ act: (Record) throws(CommandError) -> Void) throws(CommandError) -> ExitCode {
    do throws(CommandError) {
      let code = try followToTheEnd(act)
      try checkpoint?.save(stream.position)
      return code
    } catch {
      // What was done before the failure stays done.
      if let checkpoint, !isActing { try? checkpoint.save(stream.position) }
      throw error
    }
  }

  /// Whether a change was given out that is not done yet.
  private var isActing = false

  private func followToTheEnd(_ act: (Record) throws(CommandError) -> Void) throws(CommandError) -> ExitCode {
    while !signals.came(within: 0) {
      let now = ProcessFacts.steadyMilliseconds
      if let end, now >= end {
        guard let limit else { return .done }
        throw .notInTime("\(count) of \(limit) changes came in time")
      }
      let turn = min(WatchFollower.turn, end.map { $0 - now } ?? .max)
      guard let change = try asking({ () throws(ClientError) in try stream.next(within: turn) }) else {
        complain()
        guard output?.hasReader ?? true else { throw .outputClosed }
        try checkpoint?.saveIfDue(stream.position, isChange: false)
        continue
      }
      troubledSince = nil
      isActing = true
      try act(change)
      isActing = false
      count += 1
      if savesEach {
        try checkpoint?.save(stream.position)
      } else {
        try checkpoint?.saveIfDue(stream.position, isChange: true)
      }
      // Not between changes of one version: who goes on behind it would miss the rest.
      if let limit, count >= limit, stream.position >= change.version { return .done }
    }
    return .done
  }

  /// Tells, now and then, why nothing comes.
  private func complain() {
    guard let trouble = stream.trouble else {
      troubledSince = nil
      return
    }
    let now = ProcessFacts.steadyMilliseconds
    guard let since = troubledSince else {
      troubledSince = now
      return
    }
    guard now >= since + WatchFollower.patience else { return }
    troubledSince = now
    global.say("waiting for the cluster: \(trouble)")
  }
}
