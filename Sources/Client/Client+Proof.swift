public import Wire

extension Client {
  /// Begins to compare the replicas of a partition, or asks how far that is.
  public func verify(_ request: WireVerifyRequest) throws(ClientError) -> WireVerifyResponse {
    try call(.verify(request), Attempts("verify")) { body in
      if case .verify(let answer) = body { answer } else { nil }
    }
  }

  /// Has the replicas replaced that a finished check found wrong.
  public func repair(_ request: WireRepairRequest) throws(ClientError) -> WireRepairResponse {
    try call(.repair(request), Attempts("repair")) { body in
      if case .repair(let answer) = body { answer } else { nil }
    }
  }
}
