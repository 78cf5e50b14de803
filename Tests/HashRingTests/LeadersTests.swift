import Bytes
import Testing

@testable import HashRing

@Suite struct LeadersTests {
  private func question(_ group: UInt32, _ voters: [UInt32], current: UInt32? = nil)
    -> LeaderQuestion
  {
    LeaderQuestion(
      group: GroupID(rawValue: group), voters: voters.map { NodeID(rawValue: $0) },
      current: current.map { NodeID(rawValue: $0) })
  }

  private func counts(_ answers: [LeaderAnswer]) -> [NodeID: Int] {
    answers.reduce(into: [:]) { $0[$1.leader, default: 0] += 1 }
  }

  /// The least sum of squares of all ways to choose, by trying them.
  private func leastSquares(_ questions: ArraySlice<LeaderQuestion>, _ counts: inout [NodeID: Int])
    -> Int
  {
    guard let question = questions.first else { return counts.values.reduce(0) { $0 + $1 * $1 } }
    var least = Int.max
    for voter in question.voters {
      counts[voter, default: 0] += 1
      least = min(least, leastSquares(questions.dropFirst(), &counts))
      counts[voter, default: 0] -= 1
    }
    return least
  }

  @Test("leaders are as even as the best of all choices, on small random clusters")
  func bruteForce() {
    for seed in 0..<UInt64(200) {
      var random = SplitMix64(seed: seed)
      let questions = (1...UInt32.random(in: 1...6, using: &random)).map { group in
        let voters = (1...UInt32(5)).shuffled(using: &random).prefix(
          Int.random(in: 1...3, using: &random))
        return question(
          group, Array(voters), current: Bool.random(using: &random) ? voters.last : nil)
      }
      let answers = Planner.leaders(for: questions)
      for (question, answer) in zip(questions, answers) {
        #expect(
          question.group == answer.group && question.voters.contains(answer.leader), "seed \(seed)")
      }
      var none: [NodeID: Int] = [:]
      #expect(
        counts(answers).values.reduce(0) { $0 + $1 * $1 } == leastSquares(questions[...], &none),
        "seed \(seed)")
    }
  }

  @Test("sixteen partitions on the same three nodes are led five, five and six")
  func even() {
    let answers = Planner.leaders(for: (1...16).map { question($0, [1, 2, 3]) })
    #expect(counts(answers).values.sorted() == [5, 5, 6])
  }

  @Test("leaders stay where they are while that is even, and one moves where one is too many")
  func stay() {
    let questions = (1...9).map { question($0, [1, 2, 3], current: $0 <= 4 ? 1 : $0 <= 6 ? 2 : 3) }
    #expect(
      Planner.leaders(for: questions).enumerated().count { questions[$0].current != $1.leader } == 1
    )
    let evenOnes = (1...9).map { question($0, [1, 2, 3], current: $0 % 3 + 1) }
    #expect(
      Planner.leaders(for: evenOnes).enumerated().allSatisfy { evenOnes[$0].current == $1.leader })
  }

  @Test(
    "a node to avoid leads only where nobody else votes; a partition without voters has no leader")
  func avoid() {
    let questions = [
      question(1, [1, 2], current: 1), question(2, [1], current: 1), question(3, []), question(4, [1, 2]),
      question(5, [1, 2]),
    ]
    let answers = Planner.leaders(for: questions, avoiding: [NodeID(rawValue: 1)])
    #expect(answers.map(\.group.rawValue) == [1, 2, 4, 5])
    #expect(answers.map(\.leader.rawValue) == [2, 1, 2, 2])
  }

  @Test("the order of questions and voters changes nothing")
  func orderIndependent() {
    var random = SplitMix64(seed: 8)
    let questions = (1...UInt32(100)).map { question($0, [$0 % 7, $0 % 11 + 7, $0 % 5 + 20]) }
    let shuffled = questions.map {
      LeaderQuestion(group: $0.group, voters: $0.voters.shuffled(using: &random))
    }.shuffled(using: &random)
    #expect(Planner.leaders(for: shuffled) == Planner.leaders(for: questions))
  }
}
