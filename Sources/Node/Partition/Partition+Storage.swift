import Bytes
import Environment
import HashRing
import Raft
import Store
import Table
import Wire

// The store's life beneath the log: flushes, compactions, and the whole state on its way from and to other replicas.
extension Partition {
  /// The state beside the records as of the last applied entry.
  private var presentState: StoreState? {
    guard let replica else { return nil }
    var state = PartitionState(
      replica: replicaID, arc: arc, epoch: store.flushedState.epoch, lastVersion: lastVersion,
      sessions: sessions.encode(), isCut: isCut, origin: origin)
    state.applied = appliedSum
    return state.storeState(
      at: SnapshotHeader(
        index: replica.applied.index, term: replica.applied.term, membership: replica.core.membership))
  }

  /// The sum over all records applied since the partition began or was last cut by a split: of those that the disk has
  /// or is getting, and of the memtable. Nil where an older release left none.
  var appliedSum: RecordDigest? {
    if let before = split.sumBefore {
      var sum = store.memtableDigest
      sum.remove(before)
      return sum
    }
    guard case (let state, _)? = try? PartitionState.read(store.pendingState), var sum = state.applied else {
      return nil
    }
    sum.add(store.memtableDigest)
    return sum
  }

  var flushedIndex: LogIndex { store.flushedState.appliedIndex }

  func flush() {
    guard jobs.mayFlush(now: node.now), !isReceiving, let state = presentState,
      let job = store.freeze(state: state)
    else { return }
    if store.pendingState == state { split.sumBefore = nil }
    jobs.isFlushing = true
    node.host.run(.flush) {
      job.run()
    } then: { [self] result in
      jobs.isFlushing = false
      do throws(StoreError) {
        let before = store.progress.flushedBytes
        try store.install(result)
        node.counters.flushes += 1
        node.counters.flushedBytes += store.progress.flushedBytes - before
        replica?.flushed(through: store.flushedState.appliedIndex)
        beginChildIfDue()
        noticeParting()
        if split.preparing != nil { replica?.resume() }
        if store.needsFlush { flush() }
        node.planner.splitIfLarge(self)
        node.compactions.advance()
      } catch {
        jobs.flushNotBefore = retryMoment
        failed("flush", error)
      }
      node.pump()
    }
  }

  /// A compaction of the store has come to its end.
  func compacted(_ result: CompactionResult) {
    jobs.isCompacting = false
    do throws(StoreError) {
      let before = store.progress.compactedBytes
      try store.install(result)
      node.counters.compactions += 1
      node.counters.compactedBytes += store.progress.compactedBytes - before
      noticeParting()
      node.planner.splitIfLarge(self)
    } catch {
      jobs.compactionNotBefore = retryMoment
      failed("compaction", error)
    }
  }

  private var retryMoment: Moment { node.now.advanced(milliseconds: Limits.jobRetryMilliseconds) }

  /// A job that failed left its inputs as they were and may be tried again; one whose outcome on disk is uncertain
  /// stops the node (DESIGN §5).
  func failed(_ job: String, _ error: StoreError) {
    let words = "partition \(group): \(job) failed: \(error)"
    if case .fatal = error { return node.host.fatal(words) }
    if case .io(let cause) = error, cause.isDiskFull { return node.space.ranOut(cause) }
    node.host.log(.error, words)
  }

  // MARK: Sending

  func captureState() -> CapturedState? {
    flush()
    let cursor = store.exportCursor()
    guard case (var state, let point)? = try? PartitionState.read(cursor.state) else { return nil }
    // Who gets the records must not answer for versions that were dropped from them.
    state.floor = store.retention.floor
    state.pins = store.retention.pins
    let bytes = (store.levels + store.historyLevels).reduce(UInt64(store.memtableBytes)) { $0 + $1.bytes }
    return CapturedState(point: point, state: state.encode(), bytes: bytes) {
      var writer = ByteWriter(capacity: Limits.snapshotChunk.rawValue)
      do throws(StoreError) {
        while writer.count < Limits.snapshotChunk.rawValue, let record = try cursor.next() {
          record.encode(into: &writer)
        }
        return .success(writer.count == 0 ? nil : writer.bytes)
      } catch {
        return .failure(SnapshotReadError(words: "\(error)"))
      }
    }
  }

  // MARK: Receiving

  /// Holds back jobs of the store while another takes shape in its directory; false while one runs.
  func beginReceiving() -> Bool {
    guard isIdle else { return false }
    isReceiving = true
    return true
  }

  /// The arriving state was dropped; the store goes on.
  func endReceiving() { isReceiving = false }

  func install(_ received: ReceivedState, done: @escaping (Bool) -> Void) {
    guard var state = PartitionState(untrusted: received.state), arc.contains(state.arc),
      let sessions = try? SessionTable(decoding: state.sessions)
    else {
      node.host.log(.error, "partition \(group): the state from node \(received.sender) is not this partition's")
      return abandon(received, done)
    }
    state.replica = replicaID
    state.origin = origin
    let storeState = state.storeState(at: received.point)
    let retention = Retention(floor: state.floor, pins: state.pins)
    let storage = node.storage
    node.checks.drop(group)
    node.host.run(.background) { () -> StoreError? in
      do throws(StoreError) {
        try received.sink.finish(state: storeState, retention: retention)
        return nil
      } catch {
        return error
      }
    } then: { [self] error in
      if case .io(let cause)? = error, cause.isDiskFull {
        node.space.ranOut(cause)
        return abandon(received, done)
      }
      do throws(StoreError) {
        if let error { throw error }
        // From here on the directory is the new store's, and nothing may go on with the old one.
        store = try storage.openStore(group)
        isReceiving = false
        // What comes from another replica holds nothing but the arc's own.
        (arc, isCut) = (state.arc, false)
        (split.preparing, split.isPrepared, split.sumBefore) = (nil, false, nil)
        filterKeys()
        node.applyRetention()
        self.sessions = sessions
        lastVersion = state.lastVersion
        node.versions.learned(lastVersion)
        done(true)
        node.planner.mapChanged()
      } catch {
        node.host.fatal("partition \(group): a received state can't be installed: \(error)")
      }
      node.pump()
    }
  }

  /// Removes what was written of a state that can't be put in force; only then may jobs of the store make files, whose
  /// numbers are the same.
  private func abandon(_ received: ReceivedState, _ done: @escaping (Bool) -> Void) {
    node.host.run(.background) {
      received.sink.abandon()
    } then: { [self] in
      isReceiving = false
      done(false)
      node.pump()
    }
  }

  /// Whether no job of the store is running, so that it can be ended.
  var isIdle: Bool { jobs.areIdle && !isReceiving && !split.isUnderWay }

  /// Ends the replica's store: the catalog has confirmed that it is not wanted any more.
  func destroy() {
    do throws(StoreError) {
      try store.destroy()
    } catch {
      node.host.log(.error, "partition \(group): its files can't be removed: \(error)")
    }
  }
}
