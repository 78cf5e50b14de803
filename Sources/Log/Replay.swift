import Bytes

/// Applies the records of a log in order and notes what is missing.
struct Replay {
  private struct Group {
    var track = GroupTrack()
    var slots = EntrySlots()
    /// How many losses had been met when the group's last record was read.
    var lossesBefore = 0
  }

  private(set) var damage: [LogDamage] = []
  private(set) var live = LiveRuns()
  private var groups: [GroupID: Group] = [:]
  /// The losses of records of unknown groups, as places in `damage`.
  private var losses: [Int] = []
  /// How often records of unknown groups were lost.
  var lossCount: Int { losses.count }
  /// The number of the next frame; nil before the first.
  private(set) var nextNumber: UInt64?

  /// Notes damage that hides records of unknown groups.
  mutating func lose(_ path: String, at offset: Int, expected: String, found: String) {
    nextNumber = nil
    losses.append(damage.count)
    damage.append(
      LogDamage(
        path: path, offset: offset, expected: expected, found: found, affected: [], mayHideGroups: true))
  }

  /// Notes damage that hides no record.
  mutating func note(_ path: String, at offset: Int, expected: String, found: String) {
    damage.append(
      LogDamage(
        path: path, offset: offset, expected: expected, found: found, affected: [], mayHideGroups: false))
  }

  /// Says where the frames of the log begin, or go on behind a loss.
  mutating func expect(number: UInt64?) { nextNumber = number }

  /// Applies a segment's frames.
  mutating func apply(_ scan: SegmentScan, _ reader: SegmentReader, path: String, sequence: UInt64) {
    for item in scan.items {
      switch item {
      case .gap(let range):
        lose(path, at: range, reader)
      case .frame(let frame):
        if let expected = nextNumber, frame.header.number != expected {
          lose(
            path, at: frame.offset, expected: "frame \(expected)", found: "frame \(frame.header.number)")
        }
        nextNumber = frame.header.number + 1
        apply(frame, reader, path: path, sequence: sequence)
      }
    }
  }

  /// Notes bytes that hold no valid frame.
  mutating func lose(_ path: String, at range: Range<Int>, _ reader: SegmentReader) {
    let number = nextNumber.map { "frame \($0)" } ?? "a frame"
    let found =
      reader.reason(in: range)
      ?? "\(range.count) bytes that are none, from \(Replay.hexadecimal(reader.bytes, at: range.lowerBound))"
    lose(path, at: range.lowerBound, expected: number, found: found)
  }

  private mutating func apply(_ frame: SegmentScan.Frame, _ reader: SegmentReader, path: String, sequence: UInt64) {
    var at = frame.payloadOffset
    for (position, record) in frame.records.enumerated() {
      let range = at..<at + record.payloadBytes
      at = range.upperBound
      let isBad = frame.badRecords.contains(position)
      let content = isBad ? nil : Replay.decode(record, reader.bytes, range)
      if content == nil {
        let found =
          reader.reason(in: range) ?? (isBad ? "another checksum" : "fields that contradict its header")
        damage.append(
          LogDamage(
            path: path, offset: range.lowerBound,
            expected: "\(record.payloadBytes) bytes of frame \(frame.header.number) with checksum "
              + Replay.hexadecimal(record.checksum),
            found: found,
            affected: [
              LogDamage.Affected(
                group: record.group, entries: record.first == .zero ? nil : record.first...record.last,
                isCertain: true)
            ],
            mayHideGroups: false))
      }
      apply(record, content, sequence: sequence)
    }
  }

  private mutating func apply(
    _ record: RecordHeader, _ content: (control: RecordControl, entries: [LogEntry])?, sequence: UInt64
  ) {
    var group = groups.removeValue(forKey: record.group) ?? Group()
    let isNew = group.track.ordinal == 0
    if record.ordinal != 1, !isNew, record.ordinal != group.track.ordinal + 1 {
      group.track.losses.insert(.records)
      for loss in losses[group.lossesBefore...] { affect(loss, record.group, isCertain: true) }
    }
    if record.ordinal == 1 || record.flags.contains(.reset) && content != nil {
      group.slots.removeAll()
    }
    group.track.apply(record, content?.control, in: sequence, live: &live)
    group.lossesBefore = losses.count
    if record.flags.contains(.entries),
      !group.slots.put(record.first, through: record.last, content?.entries)
    {
      group.track.losses.insert(.records)
    }
    group.slots.drop(through: group.track.compacted)
    if record.flags.contains(.removed) {
      group.track.clear(&live)
    } else {
      groups[record.group] = group
    }
  }

  private mutating func affect(_ loss: Int, _ group: GroupID, isCertain: Bool) {
    guard !damage[loss].affected.contains(where: { $0.group == group }) else { return }
    damage[loss].affected.append(LogDamage.Affected(group: group, entries: nil, isCertain: isCertain))
  }

  /// What a payload says, or nil if it contradicts its header, which only a bug could bring about.
  private static func decode(
    _ record: RecordHeader, _ bytes: [UInt8], _ range: Range<Int>
  ) -> (control: RecordControl, entries: [LogEntry])? {
    var reader = ByteReader(bytes, range: range)
    guard let control = try? RecordControl(from: &reader, flags: record.flags) else { return nil }
    var entries: [LogEntry] = []
    while !reader.isAtEnd {
      guard let entry = try? LogEntry(from: &reader), entry.index - record.first == entries.count else { return nil }
      entries.append(entry)
    }
    let expected = record.flags.contains(.entries) ? record.last - record.first + 1 : 0
    return entries.count == expected ? (control, entries) : nil
  }

  static func hexadecimal(_ checksum: UInt32) -> String {
    let digits = String(checksum, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  private static func hexadecimal(_ bytes: [UInt8], at offset: Int) -> String {
    bytes[min(offset, bytes.count)..<min(offset + 8, bytes.count)].map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined(separator: " ")
  }
}

// MARK: - The end

extension Replay {
  /// What was found in the end. Groups that may have lost records go on with an ordinal that does not follow from the
  /// last one read, and their next checkpoint says so: later records don't make the loss look as if there were none.
  mutating func finish() -> (groups: [(GroupID, RecoveredGroup)], tracks: [GroupID: GroupTrack]) {
    var recovered: [(GroupID, RecoveredGroup)] = []
    var tracks: [GroupID: GroupTrack] = [:]
    for (id, var group) in groups.sorted(by: { $0.key < $1.key }) {
      if !group.track.isComplete { group.track.losses.insert(.records) }
      let missed = losses[group.lossesBefore...]
      for loss in missed { affect(loss, id, isCertain: false) }
      let floor = group.track.compacted
      let entries = group.slots.entries(after: floor) ?? []
      let isWhole = group.track.losses.isEmpty && entries.count == group.track.last - floor
      let health: RecoveredGroup.Health = isWhole ? missed.isEmpty ? .intact : .suspect : .damaged
      if health == .damaged { blame(id) }
      if !missed.isEmpty {
        group.track.ordinal += UInt64(missed.count)
        group.track.losses.insert(.records)
      }
      group.track.drafted = group.track.written
      recovered.append(
        (
          id,
          RecoveredGroup(
            health: health, hardState: group.track.hardState, reset: group.track.reset, compactedThrough: floor,
            entries: entries)
        ))
      tracks[id] = group.track
    }
    dropHealed(recovered)
    return (recovered, tracks)
  }

  /// Where nothing says yet what damaged a group, it began within or behind the losses: any may be the one.
  private mutating func blame(_ group: GroupID) {
    if damage.contains(where: { $0.affected.contains { $0.group == group } }) { return }
    for loss in losses { affect(loss, group, isCertain: losses.count == 1) }
  }

  /// Groups that were reset, removed or compacted past the damage since are no longer affected.
  private mutating func dropHealed(_ recovered: [(GroupID, RecoveredGroup)]) {
    let unhealthy = Set(recovered.lazy.filter { $0.1.health != .intact }.map(\.0))
    for at in damage.indices { damage[at].affected.removeAll { !unhealthy.contains($0.group) } }
  }
}
