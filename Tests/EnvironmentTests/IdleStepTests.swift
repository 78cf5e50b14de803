import Testing

@testable import Environment

@Suite("A step of a thread that gives way")
struct IdleStepTests {
  @Test("it is followed by a rest where others pushed it aside again and again, as long as it worked but for a limit")
  func rest() {
    #expect(IdleStep.rest(preemptions: 0, processorNanoseconds: 700_000) == 0)
    #expect(IdleStep.rest(preemptions: 3, processorNanoseconds: 700_000) == 0)
    #expect(IdleStep.rest(preemptions: 4, processorNanoseconds: 700_000) == 8_400_000)
    #expect(IdleStep.rest(preemptions: 100, processorNanoseconds: 700_000) == 8_400_000)
    #expect(IdleStep.rest(preemptions: 4, processorNanoseconds: 1_000_000_000) == 20_000_000)
  }
}
