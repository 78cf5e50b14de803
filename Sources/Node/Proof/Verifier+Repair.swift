import Bytes
import Environment
import Wire

// What follows from a check: the replicas that it found wrong are fenced.
extension Verifier {
  /// Has the replicas that a finished check found wrong fenced by their nodes, one after the other.
  func repair(_ request: WireRepairRequest, reply: @escaping Reply) {
    guard let report = report(of: request.check), report.group == request.group else {
      return reply(
        WireFailure.because(.refused, "check \(request.check) is not known here any more: verify again, then repair"))
    }
    guard report.undecided.isEmpty else { return reply(WireFailure.because(.refused, report.undecided)) }
    fence(report.wrong[...], of: report, request, WireRepairResponse(), reply)
  }

  private func fence(
    _ left: ArraySlice<UInt64>, of report: WireCheckReport, _ request: WireRepairRequest,
    _ response: WireRepairResponse,
    _ reply: @escaping Reply
  ) {
    guard let wrong = left.first else { return reply(.repair(response)) }
    var step = WireCheckRequest()
    step.check = request.check
    step.group = request.group
    step.replica = wrong
    step.step = .fence
    step.words = report.words(on: wrong)
    func settle(_ answer: WireCheckResponse?) {
      var response = response
      response.fenced.append(
        .with {
          $0.replica = wrong
          $0.kept = answer?.kept ?? ""
          if answer == nil { $0.failure = "its node did not answer" }
          if answer?.state == .unknown {
            $0.failure =
              "it is not there any more, as after another repair, or is the only one; kv verify shows what is"
          }
        })
      fence(left.dropFirst(), of: report, request, response, reply)
    }
    send(step, settle)
  }
}

extension WireCheckReport {
  /// What is wrong with a replica, in a line.
  func words(on replica: UInt64) -> String {
    guard let checked = replicas.first(where: { $0.replica == replica }) else { return "" }
    if let damage = checked.damage.first(where: { !$0.mendsItself }) {
      return "\(damage.path): at byte \(damage.offset): \(damage.words)"
    }
    return "at log entry \(index) it held other records than a majority"
  }
}
