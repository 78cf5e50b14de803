import Bytes
import Environment
import Simulation
import Testing

@testable import Log

@Suite("Damage to the shared log")
struct LogDamageTests {
  let disk = SimulatedDisk()

  /// A log of two segments and four groups.
  private func fill() throws -> LogModel {
    var model = LogModel()
    let (log, _) = try open(disk)
    let batches: [[LogWrite]] = [
      [LogWrite(group: group(0), hardState: hardState(1, vote: 3), entries: entries(1...3))],
      [
        LogWrite(group: group(1), hardState: hardState(2), entries: entries(1...2, term: 2)),
        LogWrite(
          group: group(2), entries: entries(11...12), reset: LogPoint(index: index(10), term: Term(rawValue: 1))),
      ],
      [LogWrite(group: group(0), entries: entries(3...5, term: 2, bytes: 600))],
      [LogWrite(group: group(3), hardState: hardState(5, vote: 9))],
      [LogWrite(group: group(1), entries: entries(3...4, term: 2, bytes: 700))],
      [LogWrite(group: group(2), hardState: hardState(2, commit: 11), compactedThrough: index(11))],
      [LogWrite(group: group(0), hardState: hardState(2, commit: 5), entries: entries(6...6, term: 2))],
    ]
    for batch in batches {
      try log.append(batch, sync: true)
      _ = model.apply(batch)
    }
    log.settle()
    return model
  }

  private static let written: [GroupID: [LogEntry]] = [
    group(0): entries(1...3) + entries(3...5, term: 2, bytes: 600) + entries(6...6, term: 2),
    group(1): entries(1...2, term: 2) + entries(3...4, term: 2, bytes: 700), group(2): entries(11...12),
  ]

  /// Whether what is held of a log that was harmed at a place differs from what was written; it never does so without
  /// saying where, nor for a group that it calls intact.
  private func isDetected(_ held: RecoveredLog, _ model: LogModel, _ path: String, at place: Int) throws -> Bool {
    if LogModel(held) == model, held.damage.isEmpty { return false }
    let damage = try #require(held.damage.first, "\(path) byte \(place)")
    #expect(damage.path == path && damage.offset <= place, "\(path) byte \(place): \(damage)")
    for (id, recovered) in held.groups {
      if recovered.health == .intact {
        #expect(model.groups[id] == LogModel(RecoveredLog(groups: [(id, recovered)], damage: []))?.groups[id])
      } else {
        let written = LogDamageTests.written[id, default: []]
        #expect(recovered.entries.allSatisfy { written.contains($0) }, "\(path) byte \(place)")
        #expect(held.damage.contains { $0.affected.contains { $0.group == id } }, "\(path) byte \(place)")
      }
    }
    if held.groups.count < model.groups.count { #expect(held.damage.contains { $0.mayHideGroups }) }
    return true
  }

  @Test("Every byte flipped is detected or harmless: never wrong entries, never a crash, always the file and the place")
  func everyByte() throws {
    let model = try fill()
    var detected = 0
    for path in try disk.list("log").map({ "log/" + $0 }) {
      let size = try disk.contents(of: path, limit: 1 << 20).count
      for at in 0..<size {
        let copy = disk.clone()
        copy.flip(path, at: at, mask: 1 << UInt8(at % 8))
        if try isDetected(try open(copy).held, model, path, at: at) { detected += 1 }
      }
    }
    #expect(detected > 3_000, "most bytes in use matter")
  }

  @Test("A segment that was cut is told, wherever, and the log goes on: also the last one, of which no later one knows")
  func cut() throws {
    let model = try fill()
    let firstFrame = 1024
    for path in [segment(1), segment(2)] {
      let content = try disk.contents(of: path, limit: 1 << 20)
      for bytes in content.indices {
        let copy = disk.clone()
        try copy.open(path, .readWrite).truncate(to: UInt64(bytes))
        let (log, held) = try open(copy)
        // Zeros are as good as read, where a checksum says that there were zeros.
        let lost = content[bytes...].firstIndex { $0 != 0 }
        let isDetected = try isDetected(held, model, path, at: max(lost ?? content.count, firstFrame))
        #expect(isDetected || lost == nil, "\(path) cut to \(bytes)")
        try log.append([LogWrite(group: group(7), entries: entries(1...1, bytes: 900))], sync: true)
        let again = try open(copy).held
        #expect(again[7]?.entries == entries(1...1, bytes: 900), "\(path) cut to \(bytes)")
        let harmed = held.groups.filter { $0.1.health != .intact }.map(\.0)
        #expect(again.groups.filter { $0.1.health != .intact }.map(\.0) == harmed, "\(path) cut to \(bytes)")
      }
    }
  }

  @Test("flipped-in-the-middle: the group and the entries are named, nothing is cut off, and others go on")
  func flippedInTheMiddle() throws {
    let model = try fill()
    let flipped = entries(4...4, term: 2, bytes: 600)[0].payload
    let place = try offset(of: flipped, in: segment(1), on: disk)
    disk.flip(segment(1), at: place + 5)
    let before = try disk.contents(of: segment(1), limit: 4096)
    let (log, held) = try open(disk)
    let damage = try #require(held.damage.first)
    #expect(held.damage.count == 1)
    #expect(damage.path == segment(1) && damage.offset <= place && !damage.mayHideGroups)
    #expect(
      damage.affected
        == [LogDamage.Affected(group: group(0), entries: index(3)...index(5), isCertain: true)])
    #expect(damage.description.contains("group 0 entries 3 to 5"))
    #expect(held[0]?.health == .damaged)
    #expect(held[0]?.entries == entries(1...2))
    for other in 1...3 as ClosedRange<UInt32> {
      #expect(held[other]?.health == .intact)
      #expect(held[other]?.entries == model.groups[group(other)]?.entries)
    }
    #expect(try disk.contents(of: segment(1), limit: 4096) == before, "the damaged segment stays as it is")
    try log.append([LogWrite(group: group(1), entries: entries(5...5, term: 2))], sync: true)
    let (_, again) = try open(disk)
    #expect(again[0]?.health == .damaged)
    #expect(again[1]?.entries.last?.index == index(5))
  }

  @Test("A damaged group is whole again once its lost entries are written anew, compacted or reset")
  func healed() throws {
    _ = try fill()
    let place = try offset(of: entries(4...4, term: 2, bytes: 600)[0].payload, in: segment(1), on: disk)
    disk.flip(segment(1), at: place)
    let heals: [(LogWrite, [LogEntry])] = [
      (LogWrite(group: group(0), entries: entries(3...4, term: 3)), entries(1...2) + entries(3...4, term: 3)),
      (LogWrite(group: group(0), compactedThrough: index(5)), entries(6...6, term: 2)),
      (
        LogWrite(
          group: group(0), hardState: hardState(4), reset: LogPoint(index: index(9), term: Term(rawValue: 2))), []
      ),
    ]
    for (heal, expected) in heals {
      let copy = disk.clone()
      let (log, _) = try open(copy)
      try log.append([heal], sync: true)
      let (_, held) = try open(copy)
      #expect(held[0]?.health == .intact)
      #expect(held[0]?.entries == expected)
      #expect(held.damage.map(\.affected) == [[]], "the bytes are still bad, but nobody's")
    }
  }

  @Test("A frame whose head is lost makes suspects of the groups that wrote nothing since, and of no others")
  func lostFrame() throws {
    _ = try fill()
    // The frame of group 3: its only record. Groups 0, 1, 2 wrote later, so their counts show that nothing is missing.
    let (path, at) = try frame(number: 4)
    disk.flip(path, at: at + 20)
    let (log, held) = try open(disk)
    #expect(held.damage.count == 1)
    #expect(held.damage.first?.offset == at && held.damage.first?.mayHideGroups == true)
    #expect(held.damage.first?.expected == "frame 4")
    #expect(held.groups.map { $0.0.rawValue } == [0, 1, 2])
    #expect(held.groups.allSatisfy { $0.1.health == .intact })
    _ = log
    // The frame of group 1's last record: groups 0 and 2 wrote later, 3 may have lost something, 1 can't know either.
    let (second, place) = try frame(number: 5)
    disk.flip(path, at: at + 20)
    disk.flip(second, at: place + 20)
    let (more, suspects) = try open(disk)
    #expect(suspects[0]?.health == .intact && suspects[2]?.health == .intact)
    #expect(suspects[1]?.health == .suspect && suspects[3]?.health == .suspect)
    #expect(suspects.damage.first?.affected.map(\.group) == [group(1), group(3)])
    // To write on does not make them look well again.
    try more.append([LogWrite(group: group(1), hardState: hardState(7))], sync: true)
    let (_, later) = try open(disk)
    #expect(later[1]?.health == .damaged && later[3]?.health == .suspect)
    let reset = LogPoint(index: index(20), term: Term(rawValue: 7))
    let (last, _) = try open(disk)
    try last.append([LogWrite(group: group(1), hardState: hardState(8), reset: reset)], sync: true)
    let (_, healed) = try open(disk)
    #expect(healed[1]?.health == .intact)
  }

  /// Where a frame is. The number follows eight bytes of magic and checksum.
  private func frame(number: UInt8) throws -> (String, Int) {
    for path in [segment(1), segment(2)] {
      let content = try disk.contents(of: path, limit: 4096)
      for at in stride(from: 1024, to: content.count - 40, by: 8)
      where Array(content[at..<at + 4]) == Array("kvLB".utf8) && content[at + 8] == number { return (path, at) }
    }
    throw DiskError(operation: "find", path: "frame", code: 0)
  }

  @Test("What was lost stays known when its segment is reclaimed")
  func lossOutlivesSegment() throws {
    _ = try fill()
    let (path, at) = try frame(number: 5)
    disk.flip(path, at: at + 20)
    let (log, _) = try open(disk)
    for number in 7...60 as ClosedRange<UInt64> {
      try log.append(
        [
          LogWrite(
            group: group(0), entries: entries(number...number, term: 2, bytes: 300), compactedThrough: index(number)),
          LogWrite(group: group(1), compactedThrough: index(2)), LogWrite(group: group(2), compactedThrough: index(12)),
        ], sync: true)
    }
    #expect(!disk.exists(path) && disk.exists(path + ".damaged"))
    let (_, held) = try open(disk)
    #expect(held[3]?.health == .damaged)
    #expect(held[0]?.health == .intact)
    #expect(held.damage.map(\.path) == [path + ".damaged"])
    try disk.remove(path + ".damaged")
    let (_, clean) = try open(disk)
    #expect(clean.damage == [])
  }

  @Test("One bad header copy costs nothing; two are reported, and the frames are still found")
  func headers() throws {
    let model = try fill()
    disk.flip(segment(1), at: 3)
    let (_, half) = try open(disk)
    #expect(LogModel(half) == model && half.damage == [])
    disk.flip(segment(1), at: 512 + 30)
    disk.flip(segment(2), at: 9)
    let (_, held) = try open(disk)
    #expect(LogModel(held) == model)
    #expect(held.damage.map(\.path) == [segment(1)])
    disk.flip(segment(2), at: 512)
    let copy = disk.clone()
    for identity in [8, 9] as [UInt64] {
      let (_, none) = try open(copy, LogOptions(segmentBytes: .kibibytes(4), identity: identity))
      #expect(none.groups.isEmpty)
      #expect(none.damage.filter { $0.mayHideGroups }.map(\.path) == [segment(1), segment(2)], "now and at each start")
    }
    disk.flip(segment(1), at: 3)
    let (_, again) = try open(disk)
    #expect(LogModel(again) == model, "frames that bear its number show that the last file is a segment")
  }

  @Test("A missing segment is named")
  func missing() throws {
    _ = try fill()
    try disk.remove(segment(1))
    let (_, held) = try open(disk)
    #expect(held.damage.first?.path == segment(1) && held.damage.first?.found == "no such file")
    #expect(held.groups.allSatisfy { $0.1.health != .intact })
  }

  @Test("A last segment that is missing is named as well, as long as a spare lies behind it, now and at each start")
  func lastMissing() throws {
    let model = try fill()
    _ = try open(disk)
    try #require(disk.exists(segment(3)))
    try disk.remove(segment(2))
    for _ in 0..<3 {
      let (log, held) = try open(disk)
      #expect(held.damage.contains { $0.mayHideGroups && $0.path == segment(2) })
      #expect(held.groups.filter { $0.1.health != .intact }.map(\.0.rawValue).contains(3))
      for id in [group(0), group(1), group(2)] {
        guard let recovered = held[id.rawValue], recovered.health == .intact else { continue }
        #expect(model.groups[id] == LogModel(RecoveredLog(groups: [(id, recovered)], damage: []))?.groups[id])
      }
      try log.append([LogWrite(group: group(7), hardState: hardState(1))], sync: true)
    }
  }

  @Test("A segment under another's name is refused, not written over, until it has its own back")
  func misplaced() throws {
    let model = try fill()
    try disk.rename(segment(2), to: segment(3))
    #expect(throws: LogError.misplaced(path: segment(3), expected: 3, found: 2)) { try open(disk) }
    try disk.rename(segment(3), to: segment(2))
    let (_, held) = try open(disk)
    #expect(LogModel(held) == model && held.damage == [])
  }

  @Test("A log whose segments are gone is not taken for a new one")
  func gone() throws {
    _ = try open(disk)
    try disk.remove(segment(1))
    let (_, held) = try open(disk)
    #expect(held.groups.isEmpty && held.damage.map(\.mayHideGroups) == [true])
  }

  @Test("Sectors that can't be read are damage, wherever the log holds something; elsewhere they don't matter")
  func unreadable() throws {
    let big = LogOptions(segmentBytes: .kibibytes(32), identity: 7)
    let (log, _) = try open(disk, big)
    for number in 1...4 as ClosedRange<UInt64> {
      try log.append(
        [LogWrite(group: group(UInt32(number)), entries: entries(1...10, bytes: 300))], sync: true)
    }
    for (block, isUsed) in [(1, true), (3, true), (7, false)] {
      let copy = disk.clone()
      copy.inject(
        DiskFault(times: nil) {
          $0.kind == .read && $0.offset < UInt64(block + 1) * 4096
            && $0.offset + UInt64($0.count) > UInt64(block) * 4096
        })
      // The end may not be readable either, which is where the log would be written again.
      guard isUsed else {
        let (_, held) = try open(copy, big)
        #expect(held.damage == [])
        continue
      }
      let held = try open(copy, big).held
      let damage = try #require(held.damage.first, "block \(block)")
      #expect(damage.found.contains("error 5"))
      #expect(held.groups.contains { $0.1.health != .intact } || damage.mayHideGroups)
    }
  }

  @Test("A torn tail is dropped without a word")
  func tornTail() throws {
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1), entries: entries(1...2))], sync: true)
    try log.append([LogWrite(group: group(1), entries: entries(3...3, bytes: 600))], sync: false)
    try log.append([LogWrite(group: group(1), entries: entries(4...4))], sync: false)
    let place = try offset(of: entries(3...3, bytes: 600)[0].payload, in: segment(1), on: disk)
    disk.flip(segment(1), at: place)
    let (again, held) = try open(disk)
    #expect(held.damage == [])
    #expect(held[1]?.entries == entries(1...2))
    // What lay behind the torn frame does not come back, not even behind one of the same size.
    try again.append([LogWrite(group: group(1), entries: entries(3...3, term: 9, bytes: 600))], sync: false)
    let (_, last) = try open(disk)
    #expect(last[1]?.entries == entries(1...2) + entries(3...3, term: 9, bytes: 600))
  }

  @Test("The last segments are gone: whatever was begun in them is lost, and that stays known; spares are no loss")
  func lastSegments() throws {
    let disk = SimulatedDisk()
    let (log, _) = try open(disk)
    for number in 1...30 as ClosedRange<UInt64> {
      try log.append([LogWrite(group: group(1), entries: entries(number...number, bytes: 500))], sync: true)
      if number % 3 == 0 { log.settle() }
      let begun = log.statistics.segments
      for kept in 1...begun {
        let copy = disk.clone()
        for name in try copy.list("log") where name > String(segment(kept).dropFirst(4)) {
          try copy.remove("log/\(name)")
        }
        try copy.syncDirectory("log")
        let (_, held) = try open(copy)
        #expect(held.damage.isEmpty == (kept == begun), "\(kept) of \(begun) segments: \(held.damage)")
        #expect((held[1]?.health == .intact) == (kept == begun), "\(kept) of \(begun) segments")
        let (_, again) = try open(copy)
        #expect((again[1]?.health == .intact) == (kept == begun), "\(kept) of \(begun) segments, opened again")
      }
    }
    #expect(log.statistics.segments > 4)
  }

  @Test("A segment of which nothing is left but zeros was begun all the same")
  func zeroedSegment() throws {
    let disk = SimulatedDisk()
    let (log, _) = try open(disk)
    try log.append([LogWrite(group: group(1), entries: entries(1...12, bytes: 500))], sync: true)
    let last = log.statistics.segments
    try #require(last > 1)
    let file = try disk.open(segment(last), .readWrite)
    try file.write([UInt8](repeating: 0, count: Int(try file.size())), at: 0)
    try file.sync()
    let (_, held) = try open(disk)
    #expect(held.damage.contains { $0.found.contains("no segment was begun") } && held[1]?.health != .intact)
  }

  /// A log of which several segments were used and let go, with spares of all kinds behind the last.
  private func withSpares() throws -> (disk: SimulatedDisk, last: Int) {
    let disk = SimulatedDisk()
    let options = LogOptions(segmentBytes: .kibibytes(4), spareSegments: 3, identity: 7)
    let (log, _) = try open(disk, options)
    for number in 1...6 as ClosedRange<UInt64> {
      try log.append(
        [LogWrite(group: group(1), entries: entries(number * 4 - 3...number * 4, bytes: 500))], sync: true)
    }
    try log.append([LogWrite(group: group(1), compactedThrough: index(22))], sync: true)
    try log.append([LogWrite(group: group(2), entries: entries(1...1))], sync: true)
    let last = try #require(
      (1...9).last { number in
        let bytes = try? disk.contents(of: segment(number), limit: 1 << 20)
        return bytes.map { $0[24] == UInt8(number) } ?? false
      })
    return (disk, last)
  }

  @Test("A spare whose header is damaged or that is gone has lost nothing, whatever the spares behind it are")
  func damagedSpares() throws {
    let (disk, last) = try withSpares()
    let spares = (last + 1...9).filter { disk.exists(segment($0)) }
    try #require(spares.count == 3 && spares.first == last + 1, "last \(last), spares \(spares)")
    let blank = [UInt8](repeating: 0, count: 1024)
    for (place, spare) in spares.enumerated() {
      for harm in ["a bit of zeros", "both headers", "cut", "gone"] {
        let copy = disk.clone()
        let file = try copy.open(segment(spare), .readWrite)
        switch harm {
        case "a bit of zeros":
          try file.write(blank, at: 0)
          try file.write([0x20], at: 0)
        case "both headers":
          try file.write([0xff], at: 20)
          try file.write([0xff], at: 532)
        case "cut": try file.truncate(to: 300)
        default: try copy.remove(segment(spare))
        }
        try? file.sync()
        try copy.syncDirectory("log")
        let (log, held) = try open(copy)
        #expect(
          held.damage.allSatisfy { !$0.mayHideGroups && $0.affected.isEmpty }, "spare \(place), \(harm): \(held.damage)"
        )
        #expect(held.groups.allSatisfy { $0.1.health == .intact } && held[2]?.entries == entries(1...1))
        #expect(held[1]?.entries.last == entries(24...24, bytes: 500).last, "spare \(place), \(harm)")
        try log.append([LogWrite(group: group(2), entries: entries(2...20, bytes: 500))], sync: true)
        let (_, again) = try open(copy)
        #expect(again.damage.isEmpty && again[2]?.entries.count == 20, "spare \(place), \(harm): \(again.damage)")
      }
    }
  }

  @Test("A last segment of which both headers and all frames are lost is known by the mark before it")
  func lostLast() throws {
    let (disk, last) = try withSpares()
    let file = try disk.open(segment(last), .readWrite)
    try file.write([UInt8](repeating: 0xee, count: 4096), at: 0)
    try file.sync()
    let (_, held) = try open(disk)
    #expect(held.damage.contains { $0.mayHideGroups && $0.path == segment(last) }, "\(held.damage)")
    #expect(held[2]?.health != .intact)
  }

  @Test("Many groups of which nothing is known take few words")
  func words() {
    let affected = [1, 2, 3, 5, 6].map { LogDamage.Affected(group: group($0), entries: nil, isCertain: $0 == 6) }
    let known = LogDamage.Affected(group: group(7), entries: index(3)...index(4), isCertain: true)
    let damage = LogDamage(
      path: "f", offset: 8, expected: "a", found: "b", affected: affected + [known], mayHideGroups: true)
    #expect(
      damage.description == "f: damaged at byte 8: expected a, found b; affects perhaps groups 1 to 3, "
        + "perhaps group 5, group 6, group 7 entries 3 to 4")
  }
}
