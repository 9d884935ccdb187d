import Foundation
import SystemPackage
import Synchronization
import Testing

@testable import zxbackup

@Suite("Progress")
struct ProgressTests {
    /// A display whose clock the test turns.
    private final class Bench: Sendable {
        let captured = CapturedConsole()
        private let time = Mutex(ContinuousClock.now)

        func display(_ form: ProgressDisplay.Form) -> ProgressDisplay {
            ProgressDisplay(form, captured.console, now: { self.time.withLock { $0 } })
        }

        func pass(_ duration: Duration) { time.withLock { $0 += duration } }
    }

    @Test(
        "A bar as wide as the terminal allows, with its share",
        arguments: [
            (80, 0, 200, " Item scanned:  [" + String(repeating: " ", count: 40) + "]    0 %  0"),
            (
                80, 100, 200,
                " Item scanned:  [" + String(repeating: "#", count: 20) + String(repeating: " ", count: 20) + "]   50 %  100"
            ),
            (80, 300, 200, " Item scanned:  [" + String(repeating: "#", count: 40) + "]  100 %  300"),
            (40, 100, 200, " Item scanned:  [#####     ]   50 %  100"), (10, 100, 200, " Item scan")
        ])
    func bar(_ columns: Int, _ done: Int64, _ total: Int64, _ text: String) {
        let shown = Progress(what: "Item scanned", done: done, total: total).bar(columns: columns)
        #expect(shown == text)
        #expect(shown.count <= columns)
    }

    @Test("Where nobody knows how many there will be, a number")
    func unknownTotal() {
        #expect(Progress(what: "Item scanned", done: 7, total: nil).bar(columns: 80) == " Item scanned:                     7")
        #expect(Progress(what: "Item scanned", done: 7, total: 0).bar(columns: 12) == " Item scanne")
    }

    @Test("On a terminal the bar is refreshed in place, at most ten times a second, and makes way for what is printed")
    func refreshed() {
        let bench = Bench()
        let console = bench.display(.bar(columns: 60)).wrapped
        console.progress(Progress(what: "Restored items", done: 1, total: 10))
        console.progress(Progress(what: "Restored items", done: 2, total: 10))
        bench.pass(.milliseconds(150))
        console.progress(Progress(what: "Restored items", done: 3, total: 10))
        console.write("done\n")
        let errors = bench.captured.errors
        #expect(errors.contains("10 %") && !errors.contains("20 %") && errors.contains("30 %"))
        #expect(errors.hasSuffix("\r\u{1B}[K"), "nothing is left of it")
        #expect(!errors.contains("\n"))
        #expect(bench.captured.text == "done\n")
    }

    @Test("In a pipe a line every ten seconds, and the last figures")
    func lines() {
        let bench = Bench()
        let display = bench.display(.lines)
        let console = display.wrapped
        for done in 1...35 {
            console.progress(Progress(what: "Restored items", done: Int64(done), total: 40))
            bench.pass(.seconds(1))
        }
        display.makeWay()
        display.makeWay()
        let figures = bench.captured.errors.split(separator: "\n").map { $0.drop { !$0.isNumber } }
        #expect(figures == ["11 of about 40", "21 of about 40", "31 of about 40", "35 of about 40"])
        #expect(!bench.captured.errors.contains("\r"))
    }

    @Test("Where it is not asked for, nothing")
    func silent() {
        let bench = Bench()
        bench.display(.none).wrapped.progress(Progress(what: "Restored items", done: 1, total: 2))
        #expect(bench.captured.errors.isEmpty)
    }

    @Test(
        "A restore on a terminal shows a bar; in a pipe lines, with --progress only",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script(1)"))
    func terminal() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"])
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()

        let restore = ["--config", place.config, "doRestoreOnNewAccount", "bob@example.com"]
        let line = ([Program.path] + restore + ["b1@example.com", "last"]).map { "'\($0)'" }.joined(separator: " ")
        let terminal = try Program.run(
            "/usr/bin/script", ["--quiet", "--return", "--command", "stty cols 70; exec " + line, "/dev/null"])
        #expect(terminal.status == 0, "\(terminal.output)")
        #expect(terminal.output.contains("\r\u{1B}[K Restored items:  ["), "\(terminal.output)")
        #expect(terminal.output.contains("Unrestored Items: 0"))

        let pipe = try Program.run(Program.path, restore + ["b2@example.com", "last"])
        #expect(pipe.status == 0 && pipe.errors.isEmpty, "\(pipe.errors)")
        let asked = try Program.run(Program.path, restore + ["b3@example.com", "last", "--progress"])
        #expect(asked.status == 0 && asked.errors.hasPrefix(" Restored items:                   "), "\(asked.errors)")
        #expect(!asked.errors.contains("\r"))
    }
}
