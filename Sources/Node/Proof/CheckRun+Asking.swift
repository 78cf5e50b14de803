import Bytes
import Environment
import Wire

// How a check's steps get to the voters: by a call to their nodes, or here at once.
extension CheckRun {
  /// Has one voter take a step, and gives its answer; nil where it did not answer.
  func ask(
    _ at: Int, _ step: WireCheckRequest.Step, fill: (inout WireCheckRequest) -> Void = { _ in },
    then done: @escaping (WireCheckResponse?) -> Void
  ) {
    var request = WireCheckRequest()
    request.check = number
    request.group = question.group.rawValue
    request.replica = voters[at].replica.rawValue
    request.step = step
    request.quick = question.isQuick
    fill(&request)
    let target = voters[at].replica.node
    guard target != node.id else { return node.checks.answer(request, reply: done) }
    let deadline = node.now.advanced(milliseconds: Limits.checkAnswerMilliseconds)
    node.call(target, .with { $0.check = request }, deadline: deadline) { [self] result in
      guard case .answered(.check(let answer)) = result else { return done(nil) }
      if step == .descend || step == .list { exchangedBytes += UInt64(answer.encoded.count) }
      done(answer)
    }
  }

  /// Has several voters take a step; those that are still at it are asked again. Calls back for each, then once.
  func askAll(
    _ step: WireCheckRequest.Step, of chosen: [Int]? = nil, fill: @escaping (inout WireCheckRequest) -> Void = { _ in },
    each: @escaping (Int, WireCheckResponse?) -> Void, then: @escaping () -> Void
  ) {
    let chosen = chosen ?? Array(voters.indices)
    var left = chosen.count
    func settle(_ at: Int, _ answer: WireCheckResponse?) {
      each(at, answer)
      left -= 1
      if left == 0 { then() }
    }
    func ask(_ at: Int) {
      self.ask(at, step, fill: fill) { [self] answer in
        guard let answer, answer.state == .running else { return settle(at, answer) }
        later { ask(at) }
      }
    }
    for at in chosen { ask(at) }
  }
}
