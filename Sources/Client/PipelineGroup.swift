/// The pipelines of many clients, driven by one thread: what a load of many clients needs without a thread for each.
public struct PipelineGroup {
  private let pipelines: [Pipeline]

  /// A group of pipelines, of different clients.
  public init(_ pipelines: [Pipeline]) {
    self.pipelines = pipelines
  }

  /// Waits until some of the pipelines can go on, and lets them: their outcomes are given within the call.
  public func turn() {
    guard let surroundings = pipelines.first?.client.surroundings else { return }
    var links: [(pipeline: Pipeline, link: Link)] = []
    var deadline = UInt64.max
    for pipeline in pipelines {
      pipeline.prepare()
      for link in pipeline.links { links.append((pipeline, link)) }
      deadline = min(deadline, pipeline.nextCheck)
    }
    for place in surroundings.wait(for: links.map(\.link.channel), until: deadline) {
      links[place].pipeline.conclude([links[place].link])
    }
    guard surroundings.now >= deadline else { return }
    for pipeline in pipelines { pipeline.conclude([]) }
  }
}
