/// The pipelines of many clients, driven by one thread: what a load of many clients needs without a thread for each. A
/// turn costs what happened in it, however many pipelines there are.
public final class PipelineGroup {
  /// The pipelines that have something to do.
  final class Agenda {
    private var noted: [Pipeline] = []

    func note(_ pipeline: Pipeline) {
      guard !pipeline.isOnAgenda else { return }
      pipeline.isOnAgenda = true
      noted.append(pipeline)
    }

    /// Takes out all of them, in the order in which word was left.
    func takeAll() -> [Pipeline] {
      defer { noted = [] }
      for pipeline in noted { pipeline.isOnAgenda = false }
      return noted
    }
  }

  private let pipelines: [Pipeline]
  private let agenda = Agenda()
  private let waitSet: (any WaitSet)?
  /// The links in the set, by their numbers there.
  private var watched: [(pipeline: Pipeline, link: Link)?] = []
  private var nextCheck: UInt64 = 0

  /// A group of pipelines, of different clients.
  public init(_ pipelines: [Pipeline]) {
    self.pipelines = pipelines
    waitSet = pipelines.first?.client.surroundings.makeWaitSet()
    for pipeline in pipelines {
      pipeline.agenda = agenda
      agenda.note(pipeline)
    }
  }

  deinit {
    for pipeline in pipelines { pipeline.agenda = nil }
  }

  /// Waits until some of the pipelines can go on, and lets them: their outcomes are given within the call.
  public func turn() {
    guard let surroundings = pipelines.first?.client.surroundings, let waitSet else { return }
    var ready: [Int] = []
    for pipeline in agenda.takeAll() {
      pipeline.prepare()
      for link in pipeline.links {
        let number = number(of: link, pipeline)
        if link.hasNews, let number { ready.append(number) }
      }
    }
    let now = surroundings.now
    if now >= nextCheck { check(now) }
    ready += waitSet.wait(until: ready.isEmpty ? nextCheck : now)
    for number in ready {
      guard let (pipeline, link) = watched[number] else { continue }
      pipeline.conclude([link])
      if link.failure != nil { watched[number] = nil }
    }
  }

  /// The number of a link in the set, which it joins where it is new.
  private func number(of link: Link, _ pipeline: Pipeline) -> Int? {
    if let number = link.number { return number }
    let number = watched.firstIndex { $0 == nil || $0?.link.failure != nil } ?? watched.count
    do throws(ChannelFailure) {
      try waitSet?.add(link.channel, number: number)
    } catch {
      pipeline.fail(link, error)
      return nil
    }
    link.number = number
    if number == watched.count { watched.append(nil) }
    watched[number] = (pipeline, link)
    return number
  }

  /// Lets all pipelines look at their times, a few times a second.
  private func check(_ now: UInt64) {
    nextCheck = now + ClientLimits.groupCheck
    for pipeline in pipelines where pipeline.nextCheck <= nextCheck {
      pipeline.conclude([])
      nextCheck = min(nextCheck, max(now + 1, pipeline.nextCheck))
    }
  }
}
