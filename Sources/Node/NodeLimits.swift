import Bytes

extension Limits {
  /// The most writes in one log entry.
  static let writesPerEntry = 4096
  /// The most bytes of writes gathered into one log entry; a single larger write still gets one of its own.
  static let batchBytes = ByteCount.mebibytes(1)
  /// The most writes that wait in one partition for a version.
  static let queuedWrites = 16_384
  /// The most bytes of writes that wait in one partition for a version.
  static let queuedBytes = ByteCount.mebibytes(64)
  /// How long the outcome of a request id is kept, in milliseconds of version time.
  static let requestIDMilliseconds: UInt64 = 3_600_000
  /// The most sessions in one command that acknowledges, and for how long the first of them waits for others.
  static let acknowledgedSessions = 4096
  static let acknowledgementMilliseconds: UInt64 = 1_000
  /// How far a session's time may lie ahead of a version's.
  static let requestIDLeadMilliseconds: UInt64 = 60_000
  /// The most nodes that pass one request on.
  static let hops: UInt32 = 3
  /// A request that is passed on and larger than this waits while its connection is busy.
  static let patientRequestBytes = ByteCount.kibibytes(16)
  /// The most requests under way from this node to one other.
  static let peerCalls = 65_536
  /// The longest that a node works on one request, in milliseconds.
  static let requestMilliseconds: UInt64 = 60_000
  /// The longest range of versions that one request to the oracle takes.
  static let versionsPerRequest: UInt32 = 100_000
  /// The most bytes of records in one answer to a range request.
  static let rangeCredit = ByteCount.mebibytes(1)
  /// How many records of the partitions together are looked at for one answer to a request for changes.
  static let changesLookedAt = 32_768
  /// The most bytes of log entries that share one frame; a larger message still gets one of its own.
  static let peerFrameBytes = ByteCount.mebibytes(2)
  /// The most full frames that wait for a busy connection to a node; their entries are in the groups' logs anyway.
  static let heldFrames = 32
  /// The size of one chunk of a replica's state on its way to another node.
  static let snapshotChunk = ByteCount.kibibytes(256)
  /// The most writes that wait for the log while other nodes' entries are still taken in.
  static let waitingLogWrites = 512
  /// How long a node waits for versions from the oracle before it asks anew.
  static let oracleMilliseconds: UInt64 = 2_000
  /// A log that grows beyond this has the groups flushed that keep its oldest segments.
  static let logBudget = ByteCount.mebibytes(256)
  /// The catalog is small, and saved when it keeps this part of the log's budget: so segments are soon written again.
  static let catalogLogPart = 8
  /// A partition whose store is behind with its jobs writes in batches of a part of what it may write in a second, or
  /// of `slowBatchBytes` if that is more.
  static let slowBatchesPerSecond = 20
  static let slowBatchBytes = ByteCount.kibibytes(64)
  /// A partition that could start no batch for so long refuses writes.
  static let stopMilliseconds: UInt64 = 1_000
  /// A follower takes no more entries in while its memtables hold so many times what one should.
  static let mostMemtables = 4
  /// What is kept aside on the disk, so that a node whose disk is full can go on.
  public static let diskReserve = ByteCount.mebibytes(64)
  /// A node whose disk was full takes writes again when so much is free beside the reserve.
  static let roomToGoOn = ByteCount.mebibytes(32)
  /// For how long a node tells of what contradicted its committed entries: a leader says it again sooner.
  static let contradictionMilliseconds: UInt64 = 10_000
  /// How often the room on the disk is looked at.
  static let spaceLookMilliseconds: UInt64 = 1_000
  /// How long a node that starts waits for what the others remember of it.
  static let recallMilliseconds: UInt64 = 1_000
  /// How often a node whose replica is damaged asks for another.
  static let fenceLookMilliseconds: UInt64 = 1_000
  /// The most findings of damage that a node lists.
  static let damageListed = 64
  /// How long versions are kept unless the cluster is told otherwise, in milliseconds.
  static let retentionMilliseconds: UInt64 = 86_400_000
  /// How often the catalog's leader looks whether the floor is to be raised.
  static let floorLookMilliseconds: UInt64 = 1_000
  /// The floor moves in steps of this part of the retention, and of at most `longestFloorStep` milliseconds.
  static let floorSteps: UInt64 = 20
  static let longestFloorStep: UInt64 = 60_000
  /// How long no read of a version below a floor begins that is about to be set.
  static let floorPromiseMilliseconds: UInt64 = 5_000
  /// How long a range's version is held from one part to the next.
  static let heldReadMilliseconds: UInt64 = 60_000
  /// The most versions held at once on a node; ranges beyond that may be refused half way.
  static let heldReads = 65_536
  /// The most bytes of records in one answer to a request for changes, and the least share of a partition in them.
  static let changesCredit = ByteCount.mebibytes(4)
  static let changesShare = ByteCount.kibibytes(64)
  /// The most bytes of the log that are looked through for one such answer, in each partition.
  static let changeScanBytes = ByteCount.mebibytes(4)
  /// How many records of tables are looked at before others get their turn on the worker thread.
  static let changeScanRecords = 20_000
  /// The most partitions whose tables are looked through at once.
  static let changeScans = 64
  /// The most requests that wait for changes.
  static let waitingChanges = 16_384
  /// How often others are asked who leads what has no replica here, and for how long after somebody wanted to know.
  static let foreignLeaderMilliseconds: UInt64 = 1_000
  static let foreignLeaderMemory: UInt64 = 10_000
  /// How long after a failed attempt at a connection the other node is taken for silent: longer than the pause before
  /// the next.
  static let silenceMilliseconds: UInt64 = 2_500
  /// How often a node asks which versions are closed while reads of its replicas come that don't lead, and while none do.
  static let closedVersionMilliseconds: UInt64 = 200
  static let idleClosedVersionMilliseconds: UInt64 = 1_000
  /// How long after the last such read they are expected.
  static let followerReadMemory: UInt64 = 60_000
  /// How long an answer to that question counts.
  static let closedAnswerMilliseconds: UInt64 = 1_000
  /// The most answers of a partition whose log index is not applied yet.
  static let comingVersions = 8
  /// How long after a flush or compaction failed it is tried again.
  static let jobRetryMilliseconds: UInt64 = 1_000
  /// The pause before a directory's FORMAT is written again that could not be, in milliseconds: nothing hangs on it.
  static let formatRetryMilliseconds: UInt64 = 30_000
  /// How long after a segment could not be made ahead it is tried again.
  static let spareRetryMilliseconds: UInt64 = 1_000
  /// A wall clock further from the members' median than this is not used for versions.
  static let clockErrorMilliseconds: UInt64 = 10_000
  /// How often the catalog's leader asks the members for their clocks.
  static let clockQuestionMilliseconds: UInt64 = 2_000
  /// How often while too few have answered to give out versions.
  static let clockUrgentMilliseconds: UInt64 = 50
  /// How long a member's answer to that counts.
  static let clockMemoryMilliseconds: UInt64 = 60_000
  /// How long the members' clocks must agree on a leap ahead before versions follow it.
  static let clockDoubtMilliseconds: UInt64 = 7_000
  /// How often a node complains of its clock.
  static let clockReportMilliseconds: UInt64 = 60_000
  /// How often a node holds its identity's and its catalog's files against their checksums.
  static let pairedFileCheckMilliseconds: UInt64 = 60_000
  /// The catalog is saved to its file after so many log entries.
  static let catalogEntriesBetweenSaves = 256
  /// A transfer of a replica without progress for so long has failed.
  static let transferStallMilliseconds: UInt64 = 10_000
  /// How often a sender whose next chunk has to wait is told that the receiver is there.
  static let transferSignMilliseconds: UInt64 = 2_000
  /// The largest file of the catalog or an identity that is read.
  static let catalogFileBytes = ByteCount.mebibytes(64)
  /// The longest that a stopping node waits for others to take its leaderships over.
  static let drainMilliseconds: UInt64 = 5_000
  /// The most certificates that the catalog lists at once, and the longest that one can last: ten years.
  static let certificates = 4096
  static let longestCertificateSeconds: UInt64 = 3650 * 86_400
  /// The most certificates that may be good for a client which renews its own.
  static let certificatesOfClient = 32
  /// How often a node that has moved says so until the catalog knows.
  static let movedMilliseconds: UInt64 = 1_000
  /// The most authorities of the past that the catalog names.
  static let pastAuthorities = 16
  /// A latest version that is older than this is replaced by one of now.
  static let latestVersionMilliseconds: UInt64 = 3_600_000
  /// For how many ticks a node that has heard the catalog's leader goes on without, though a member refuses it: elections
  /// take as long.
  static let leaderlessTicks = 100
  /// For how long a member must refuse this node, or one that was struck out try to connect, before that is told of.
  static let estrangementDelayMilliseconds: UInt64 = 5_000
  /// For how long it is told of: links try again sooner.
  static let estrangementMilliseconds: UInt64 = 30_000
  /// How far ahead of this node's clock a version may lie that another member says it knows.
  static let knownVersionLeadMilliseconds: UInt64 = 86_400_000
  /// How long a member may take to say whether it knows how to replace the authority.
  static let probeMilliseconds: UInt64 = 2_000
  /// How long after another authority took the place of the former clients wait for the nodes' certificates.
  static let followingMilliseconds: UInt64 = 10_000
  /// The most holders of certificates that a refusal names.
  static let holdersNamed = 10
  /// The longest serial number (RFC 5280 §4.1.2.2).
  static let serialBytes = 20
  /// The most join tokens that the catalog keeps at once.
  static let tokens = 1000
  /// The most named snapshots that the catalog keeps at once, and the longest name of one.
  static let namedSnapshots = 4096
  static let snapshotNameBytes = 100
  /// How long a join token can be made to last.
  static let tokenMilliseconds: UInt64 = 7 * 86_400_000
  /// How long members may speak to a newer replica of the catalog on a node than the one it has.
  static let supplantingMilliseconds: UInt64 = 15_000
  /// A peer that was heard from so lately counts as alive for what must not go to a dead one: three heartbeats.
  static let freshNanoseconds: UInt64 = 300_000_000
  /// The time between two pulses to a node, that of heartbeats, and how long the answer to one counts.
  static let pulseNanoseconds: UInt64 = 100_000_000
  static let pulseAnswerMilliseconds: UInt64 = 300
  /// How often a node of an older release is asked whether it knows pulses by now.
  static let pulseQuestionMilliseconds: UInt64 = 5_000
  /// A node that was heard from so lately is not declared lost unless that is forced.
  static let lostSilenceMilliseconds: UInt64 = 2_000
  /// What a partition may hold before it is split without being asked, unless the node is told otherwise.
  static let splitBytes = ByteCount.mebibytes(4096)
  /// A partition with fewer records isn't split for its size: it may be one key that is so large.
  static let leastSplitRecords: UInt64 = 256
  /// How soon the leader of a partition that was split off asks for votes again, until the others have split it off too.
  static let splitCampaignMilliseconds: UInt64 = 100
  /// For how long it does.
  static let splitCampaignsMilliseconds: UInt64 = 5_000
}
