import BackupCore
import BackupStore
import Foundation
import SystemPackage
import Testing

@testable import zxbackup

@Suite("What monitor shows, and what systemd is told")
struct MonitorTests {
    private func operation(_ state: String, _ scanned: Int) -> JSONObject {
        let progress = Progress(
            what: "Account scanned", done: Int64(scanned), total: 4,
            figures: [.init(name: "Account scanned", value: "\(scanned)/4"), .init(name: "Item scanned", value: "\(scanned * 50)")])
        return ["id": "x", "operation": "doSmartScan", "state": .string(state), "progress": .object(progress.json)]
    }

    @Test("On a terminal figures are refreshed in place, as wide as it is; a name cannot drive it")
    func terminal() {
        let captured = CapturedConsole()
        var console = captured.console
        console.terminalColumns = { 40 }
        var display = MonitorDisplay(console, isJSON: false)
        display.show(["operation": "doSmartScan", "state": "queued"], isDue: false)
        display.show(operation("running", 1), isDue: false)
        display.show(operation("running", 1), isDue: true)
        display.show(operation("running", 4), isDue: false)
        let wiped = "\u{1B}[K"
        #expect(
            captured.errors == wiped + "doSmartScan queued\n" + "\u{1B}[1A" + wiped + "doSmartScan running\n" + wiped
                + " Account scanned:                  1/4\n" + wiped + " Item scanned:                     50\n" + "\u{1B}[3A" + wiped
                + "doSmartScan running\n" + wiped + " Account scanned:                  4/4\n" + wiped + " Item scanned:                     200\n")
        display.show(["operation": "\u{1B}[2J\n", "state": .string(String(repeating: "x", count: 100))], isDue: false)
        #expect(!captured.errors.contains("\u{1B}[2J") && !captured.errors.contains(String(repeating: "x", count: 40)))
        display.end(["operation": "doSmartScan"], .stopped)
        #expect(captured.text == "doSmartScan was stopped\n")
    }

    @Test("Elsewhere figures come now and then, and when the state changes; programs get objects")
    func lines() throws {
        let captured = CapturedConsole()
        var display = MonitorDisplay(captured.console, isJSON: false)
        display.show(operation("running", 1), isDue: false)
        display.show(operation("running", 2), isDue: false)
        display.show(operation("running", 3), isDue: true)
        display.show(operation("stopping", 3), isDue: false)
        let figures = { (scanned: Int) in " Account scanned:                  \(scanned)/4\n Item scanned:                     \(scanned * 50)\n" }
        #expect(
            captured.text == "doSmartScan running\n" + figures(1) + "doSmartScan running\n" + figures(3) + "doSmartScan stopping\n" + figures(3))
        let json = CapturedConsole()
        var objects = MonitorDisplay(json.console, isJSON: true)
        objects.show(operation("running", 2), isDue: false)
        objects.show(operation("running", 2), isDue: true)
        let lines = json.text.split(separator: "\n")
        #expect(lines.count == 1)
        #expect(try JSONValue(json: String(lines[0])).object?["progress"]?.object?["figures"]?.object?["Account scanned"] == "2/4")
    }

    @Test("systemd hears that the service listens, what it does, and that it ends")
    func notify() throws {
        let place = try Workplace()
        #expect(place.zx("init").status == .successful)
        let path = place.folder.appending("notify").string
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(bound == 0)
        func heard() -> String {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 60_000) > 0 else { return "nothing" }
            var bytes = [UInt8](repeating: 0, count: 1000)
            return String(decoding: bytes[..<max(0, recv(descriptor, &bytes, bytes.count, 0))], as: UTF8.self)
        }
        let service = Process()
        service.executableURL = URL(fileURLWithPath: Program.path)
        service.arguments = ["--config", place.config, "serve"]
        service.environment = ProcessInfo.processInfo.environment.merging(["NOTIFY_SOCKET": path]) { $1 }
        service.standardOutput = FileHandle.nullDevice
        service.standardError = FileHandle.nullDevice
        try service.run()
        #expect(heard() == "READY=1\nSTATUS=looking at the server")
        #expect(place.zx("status", "--json").text.contains("\"pid\":\(service.processIdentifier)"), "whoever was told can ask")
        #expect(heard() == "STATUS=following the redo log")
        kill(service.processIdentifier, SIGTERM)
        #expect(heard() == "STOPPING=1\nSTATUS=ending at the next safe point")
        service.waitUntilExit()
        #expect(service.terminationStatus == 0)
    }
}
