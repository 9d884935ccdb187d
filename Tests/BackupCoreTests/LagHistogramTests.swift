import Testing

@testable import BackupCore

@Suite("The lag of the real-time scanner")
struct LagHistogramTests {
    @Test("Percentiles are those of the sorted times")
    func percentiles() {
        var generator = SeededGenerator(seed: 3)
        var histogram = LagHistogram()
        var times = (0..<5000).map { _ in Int64.random(in: 0..<1000, using: &generator) }
        for time in times { histogram.add(milliseconds: time) }
        times.sort()
        for share in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let rank = max(1, Int((Double(times.count) * share).rounded(.up)))
            #expect(histogram.percentile(share) == times[rank - 1])
        }
        #expect(histogram.longest == times.last)
        #expect(histogram.count == 5000)
    }

    @Test("Long times are never shown shorter than they were, by no more than a second too long")
    func longTimes() {
        var histogram = LagHistogram()
        for time: Int64 in [1000, 1999, 2500, 59_001, 10_000_000] { histogram.add(milliseconds: time) }
        #expect(histogram.percentile(0.2) == 2000)
        #expect(histogram.percentile(0.6) == 3000)
        #expect(histogram.percentile(0.8) == 60_000)
        #expect(histogram.longest == 10_000_000)
        #expect(LagHistogram().percentile(0.5) == 0)
    }

    @Test("A clock that stepped back counts as no time")
    func clockStep() {
        var histogram = LagHistogram()
        histogram.add(milliseconds: -5000)
        #expect(histogram.percentile(1) == 0)
    }
}
