public import Wire

/// What one member of the cluster says of itself.
public struct NodeReport: Sendable {
  /// The member, as the map names it; without a map an address alone, with id 0.
  public let member: WireMember
  /// Its status; nil where it gave none.
  public let status: WireStatusResponse?
  /// Why it gave none, in words; nil where it gave one.
  public let error: String?
}

extension Client {
  /// Asks every member for its status, all at once. Where no node gives a map, the addresses of the cluster file are
  /// asked; it fails only where every one of those fails.
  public func status() throws(ClientError) -> [NodeReport] {
    let members: [WireMember]
    var failure: ClientError?
    do throws(ClientError) {
      members = try map().members.sorted { $0.id < $1.id }
    } catch {
      failure = error
      members = file.addresses.map { address in
        var member = WireMember()
        member.address = address
        return member
      }
    }
    let deadline = self.deadline
    let asked = members.map { ask($0, until: deadline) }
    let reports = zip(members, asked).map { member, question -> NodeReport in
      switch question {
      case .success(let (link, id)): return report(member, link, id, until: deadline)
      case .failure(let failure): return NodeReport(member: member, status: nil, error: failure.words)
      }
    }
    if let failure, reports.allSatisfy({ $0.status == nil }) { throw failure }
    return reports
  }

  private func ask(_ member: WireMember, until deadline: UInt64) -> Result<(Link, UInt64), ChannelFailure> {
    do throws(ChannelFailure) {
      guard surroundings.now < deadline else {
        throw ChannelFailure(kind: .broken, words: "was not asked: the time was over")
      }
      let link = try link(to: member.address, until: deadline)
      let request = request(.status(WireStatusRequest()), time: answerTime(until: deadline))
      link.gather(request)
      try link.flush(until: deadline)
      return .success((link, request.id))
    } catch {
      return .failure(error)
    }
  }

  private func report(_ member: WireMember, _ link: Link, _ id: UInt64, until deadline: UInt64) -> NodeReport {
    let words: String
    do throws(ChannelFailure) {
      switch try link.answer(to: id, until: surroundings.now + answerTime(until: deadline)) {
      case .status(let status): return NodeReport(member: member, status: status, error: nil)
      case .failure(let failure): words = failure.message
      case .some: words = "sent an answer that doesn't fit the request"
      case nil:
        drop(link)
        words = "gave no answer in time"
      }
    } catch {
      drop(link)
      words = error.words
    }
    return NodeReport(member: member, status: nil, error: words)
  }
}
