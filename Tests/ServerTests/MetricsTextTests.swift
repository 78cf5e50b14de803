import Testing

@testable import Node
@testable import Server

@Suite("The text of metrics")
struct MetricsTextTests {
  @Test("A family has a head and its samples; whole numbers have no fraction")
  func families() {
    var text = MetricsText()
    text.gauge("a_bytes", "Help.", 5)
    text.counter("b_total", "Other.", [("kind=\"x\"", 1.5), ("kind=\"y\"", 2)])
    #expect(
      text.text == """
        # HELP a_bytes Help.
        # TYPE a_bytes gauge
        a_bytes 5
        # HELP b_total Other.
        # TYPE b_total counter
        b_total{kind="x"} 1.5
        b_total{kind="y"} 2

        """)
    #expect(MetricsText.label("zone", "a\"b\\c\nd") == #"zone="a\"b\\c\nd""#)
  }

  @Test("A histogram's buckets add up, and hold what is outside of those shown")
  func histogram() {
    var histogram = Histogram()
    for value: UInt64 in [0, 1, 2, 3, 4, 5, 1 << 20, .max] { histogram.record(value) }
    #expect(histogram.count == 8 && histogram.counts[0] == 2 && histogram.counts[1] == 1 && histogram.counts[2] == 2)
    var text = MetricsText()
    text.histogram("h", "H.", scale: 1, places: 1...3, [("", histogram)])
    let lines = text.text.split(separator: "\n").dropFirst(2)
    #expect(
      lines.prefix(4).map(String.init) == [
        #"h_bucket{le="2"} 3"#, #"h_bucket{le="4"} 5"#, #"h_bucket{le="8"} 6"#, #"h_bucket{le="+Inf"} 8"#,
      ])
    #expect(lines.last == "h_count 8")
  }
}
