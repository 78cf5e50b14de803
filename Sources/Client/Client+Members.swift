public import Wire

// What an administrator asks of the cluster: who leaves, what moves, what is split. All of it may be asked again.
extension Client {
  /// Has a node leave, declares it lost, or has it stay after all. Gives what the caller should know.
  public func leave(_ request: WireLeaveRequest) throws(ClientError) -> [String] {
    try call(.leave(request), Attempts("leave")) { body in
      if case .leave(let answer) = body { answer.warnings } else { nil }
    }
  }

  /// What would move: as things are, or if nodes left and joined.
  public func plan(_ request: WirePlanRequest) throws(ClientError) -> WirePlanResponse {
    try call(.plan(request), Attempts("plan")) { body in
      if case .plan(let answer) = body { answer } else { nil }
    }
  }

  /// Has a partition be cut in half, once; asked again, it says whether that is done.
  public func split(group: UInt32, bits: UInt32) throws(ClientError) -> WireSplitResponse {
    var request = WireSplitRequest()
    request.group = group
    request.bits = bits
    return try call(.split(request), Attempts("split")) { body in
      if case .split(let answer) = body { answer } else { nil }
    }
  }

  /// Has each node take in at most so many bytes a second of moving replicas; 0: no limit.
  public func limitMoves(bytesPerSecond: UInt64) throws(ClientError) {
    var request = WireMoveRateRequest()
    request.rate = bytesPerSecond
    _ = try call(.moveRate(request), Attempts("plan")) { body in
      if case .moveRate = body { true } else { nil }
    }
  }
}
