public import Wire

extension Client {
  /// Where everything is, as one node knows it now.
  public func map() throws(ClientError) -> WireMapResponse {
    try freshMap(until: deadline).message
  }

  /// A new map, checked, and kept for later calls.
  func freshMap(until deadline: UInt64) throws(ClientError) -> ClusterMap {
    let cluster = file.cluster
    let attempts = Attempts("reading the cluster's map")
    let fresh = try call(.map(WireMapRequest()), attempts, until: deadline) { body -> ClusterMap? in
      guard case .map(let message) = body else { return nil }
      return ClusterMap(untrusted: message, cluster: cluster)
    }
    adopt(fresh)
    return fresh
  }

  /// The map at hand, unless it is old.
  var youngMap: ClusterMap? { surroundings.now < mapExpires ? knownMap : nil }

  /// Asks for a map along with another request, where the one at hand is missing or old; its number then. A client
  /// that keeps no state and asks for the first time may never need one.
  func gatherMap(on link: Link, for body: WireRequest.OneOf_Body) -> UInt64? {
    if case .map = body { return nil }
    guard usesMap, surroundings.now >= mapExpires, state != nil || hasAsked else {
      hasAsked = true
      return nil
    }
    hasAsked = true
    let request = request(.map(WireMapRequest()), time: ClientLimits.mapTime)
    link.gather(request)
    return request.id
  }

  /// Asks for a map along with other requests, where the one at hand is missing or old; its answer goes into the box,
  /// and from there to `takeMap`.
  func gatherMapAside(on link: Link, now: UInt64, into box: AnswerBox) {
    guard now >= mapExpires else { return }
    mapExpires = now + ClientLimits.mapTime
    link.gather(request(.map(WireMapRequest()), time: ClientLimits.mapTime), into: box)
  }

  /// Takes in a map that was asked for on the way, if it comes at once.
  func takeMap(_ id: UInt64, from link: Link) {
    let deadline = surroundings.now + ClientLimits.mapTime
    guard let answer = try? link.answer(to: id, until: deadline) else { return link.forget(id) }
    takeMap(answer)
  }

  /// Takes in an answer, if it is a map.
  func takeMap(_ answer: WireResponse.OneOf_Body) {
    if case .map(let message) = answer, let fresh = ClusterMap(untrusted: message, cluster: file.cluster) {
      adopt(fresh)
    }
  }

  /// Uses the stored map, if there is none yet. It is believed no more than any other: it says where to ask first.
  func loadMap() {
    guard knownMap == nil, !hasAsked, let state, let (bytes, age) = state.read(StateDirectory.mapName),
      let message = WireMapResponse(untrusted: bytes),
      let stored = ClusterMap(untrusted: message, cluster: file.cluster)
    else { return }
    knownMap = stored
    mapExpires = age < ClientLimits.storedMapAge ? surroundings.now + ClientLimits.mapAge : 0
  }

  /// Uses a map of a node's for the calls to come.
  func adopt(_ fresh: ClusterMap) {
    // A node that lags may know an older map. A stored one is no measure: the cluster may be a new one since.
    if isMapFresh, let knownMap, knownMap.message.epoch > fresh.message.epoch { return }
    let isNews = !isMapFresh || knownMap?.message != fresh.message
    knownMap = fresh
    isMapFresh = true
    mapExpires = surroundings.now + ClientLimits.mapAge
    if isNews { state?.write(StateDirectory.mapName, fresh.message.encoded) }
  }
}
