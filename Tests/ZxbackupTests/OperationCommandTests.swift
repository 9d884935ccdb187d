import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

@Suite("Operations of the running service, by the command line")
struct OperationCommandTests {
    private func workplace(accounts: Int = 1, messages: Int = 1) throws -> Workplace {
        let place = try Workplace()
        for number in 0..<accounts {
            _ = try place.server.createAccount(name: "user\(number)@example.com")
            for message in 0..<messages { _ = try place.server.deliver(Workplace.message("\(message)"), to: ["user\(number)@example.com"]) }
        }
        #expect(place.zx("init").status == .successful && place.zx("serve", "--once").status == .successful)
        return place
    }

    private func operations(_ place: Workplace) throws -> [JSONObject] {
        let answer = place.zx("--json", "getAllOperations")
        let all = try JSONValue(json: answer.text.trimmed()).object?["operations"]?.array
        return try #require(all).compactMap { $0.object }
    }

    /// A command in a process of its own.
    private func begin(_ place: Workplace, _ words: String...) throws -> Process {
        let client = Process()
        client.executableURL = URL(fileURLWithPath: Program.path)
        client.arguments = ["--config", place.config] + words
        client.standardError = FileHandle.nullDevice
        client.standardOutput = FileHandle.nullDevice
        try client.run()
        return client
    }

    @Test("What runs and waits is listed, monitored, removed and stopped; the exit statuses are the manual's")
    func stopping() throws {
        let place = try workplace()
        #expect(place.zx("getAllOperations").text.contains("not running"))
        #expect(place.zx("monitor", "6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90").errors.contains("no service runs"))
        #expect(place.zx("doStopAllOperations").text.contains("nothing runs"))
        let service = try Service(place)
        try service.wait { try operations(place).isEmpty }  // Its first scan is over.
        #expect(place.zx("getAllOperations").text.contains("nothing runs, and nothing waits"))
        #expect(place.zx("monitor", "6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90").errors.contains("no operation 6f1c2a4e"))
        #expect(place.zx("doStopOperation", "nobody").status == .failed)

        let held = try begin(place, "doSmartScan", "deep", "true")
        let waiting = try begin(place, "doPurge")
        held.waitUntilExit()
        waiting.waitUntilExit()
        #expect(held.terminationStatus == 0 && waiting.terminationStatus == 0)
        let ended = (service.state?["ended_operations"]?.array ?? []).compactMap { $0.object }
        #expect(Set(ended.compactMap { $0["operation"]?.string }) == ["doSmartScan", "doPurge"])
        let scan = try #require(ended.last { $0["operation"]?.string == "doSmartScan" }?["id"]?.string)
        let monitored = place.zx("monitor", scan.uppercased())
        #expect(monitored.status == .successful && monitored.text == "doSmartScan ended successfully\n")
        #expect(service.end() == 0, "\(service.words)")
    }

    @Test("An operation that the service was killed in is begun again by the next one, and not for ever")
    func killed() throws {
        let place = try workplace()
        let state = place.folder.appending("state")
        let file = try OperationFile(stateFolder: state)
        func operation(_ attempts: Int, _ command: String = "doSmartScan") -> QueuedOperation {
            var operation = QueuedOperation(id: UUID().uuidString.lowercased(), command: command, parameters: ["deep": "true"], asker: "root", time: 1)
            operation.attempts = attempts
            return operation
        }
        let (again, poisoned, unknown) = (operation(2), operation(3), operation(0, "doSomethingElse"))
        for operation in [again, poisoned, unknown] { try file.keep(operation) }
        let listed = place.zx("getAllOperations", "verbose", "true")
        #expect(listed.text.contains(again.id) && listed.text.contains("queued") && listed.text.contains("root"), "\(listed.text)")
        let service = try Service(place)
        try service.wait {
            service.state?["ended_operations"]?.array?.contains { $0.object?["id"]?.string == again.id && $0.object?["status"]?.int == 0 } ?? false
        }
        #expect(try file.all().isEmpty)
        #expect(service.end() == 0)
        let log = try String(contentsOfFile: state.appending("notifications.log").string, encoding: .utf8)
        #expect(log.contains("operation \(poisoned.id) is not begun again") && log.contains("3 services did not live to end it"), "\(log)")
        #expect(log.contains("operation \(unknown.id) is not begun again"))
    }

    @Test("What waits while no service runs can be taken off its queue")
    func removal() throws {
        let place = try workplace()
        let file = try OperationFile(stateFolder: place.folder.appending("state"))
        let kept = (0..<3).map { QueuedOperation(id: "id\($0)", command: "doPurge", asker: "root", time: Int64($0)) }
        for operation in kept { try file.keep(operation) }
        let removed = place.zx("doStopOperation", "id1")
        #expect(removed.status == .successful && removed.text.contains("removed from the queue"))
        #expect(try file.all().map(\.id) == ["id0", "id2"])
        #expect(try JSONValue(json: place.zx("--json", "doStopAllOperations").text.trimmed()).object?["removed"]?.array?.count == 2)
        #expect(try file.all().isEmpty)
    }

    @Test("Damage to the list of operations stops no backup")
    func damagedList() throws {
        let place = try workplace()
        let state = place.folder.appending("state")
        try FileManager.default.createDirectory(atPath: state.string, withIntermediateDirectories: true)
        try Data(repeating: 0x41, count: 5000).write(to: URL(fileURLWithPath: state.appending("operations.sqlite").string))
        let service = try Service(place)
        #expect(place.zx("doPurge").status == .successful)
        #expect(service.end() == 0 && service.words.contains("operations do not survive this service"), "\(service.words)")
    }

    @Test("A restore is done by the service, beside its other work; one for another server is the command's own")
    func restores() throws {
        let place = try workplace()
        let service = try Service(place)
        try service.wait { try operations(place).isEmpty }
        try place.server.close()
        let restored = place.zx("doRestoreOnNewAccount", "user0@example.com", "copy@example.com", "last")
        #expect(restored.status == .successful && restored.text.contains("Unrestored Items: 0"), "\(restored)")
        #expect(service.state?["ended_operations"]?.array?.last?.object?["operation"]?.string == "doRestoreOnNewAccount")
        let missing = place.zx("doUndelete", "nobody@example.com", "first", "last")
        #expect(missing.status == .failed && missing.errors.contains("nobody@example.com"), "\(missing)")

        let other = try SandboxServer.create(at: place.folder.appending("other"), options: .init())
        try other.close()
        let config = place.folder.appending("other.yaml").string
        try Data("server: {kind: sandbox, path: other}\nbackupPath: backup\nstateFolder: state\n".utf8).write(to: URL(fileURLWithPath: config))
        let elsewhere = run(["--config", config, "doRestoreOnNewAccount", "user0@example.com", "copy@example.com", "last"])
        #expect(elsewhere.status == .successful, "\(elsewhere)")
        #expect(service.state?["ended_operations"]?.array?.count { $0.object?["operation"]?.string == "doRestoreOnNewAccount" } == 1)
        #expect(service.end() == 0, "\(service.words)")
    }

    @Test("An account scan overtakes a smart scan between two mailboxes, and the smart scan goes on")
    func overtaking() throws {
        let place = try workplace(accounts: 4)
        let source = try Configuration(GlobalOptions(configuration: place.config)).openSource()
        let store = try StoreWriter(opening: FilePath(place.backup), serverID: source.identity.id)
        let engine = try BackupEngine(source: source, store: store)
        var overtaken: [Int] = []
        engine.atSafePoint = { engine in
            guard overtaken.count < 2 else { return }
            overtaken.append(try engine.scan(account: "user3@example.com").checkedItems)
        }
        var options = SmartScanOptions()
        options.deep = true
        let statistics = try engine.smartScan(options)
        #expect(overtaken == [18, 18] && statistics.accounts == 4, "\(overtaken) \(statistics)")
        try engine.close()
        #expect(place.zx("doCoherencyCheck", place.backup).status == .successful)
    }

    @Test("Parts of the service are stopped, started and listed")
    func services() throws {
        let place = try workplace()
        #expect(place.zx("getServices").text.contains("not running"))
        #expect(place.zx("doStopService", "PURGE").status == .successful)
        #expect(place.zx("getProperty", "backupPurgeSchedulerEnabled").text.contains("false"))
        let service = try Service(place)
        let json = try JSONValue(json: place.zx("--json", "getServices").text.trimmed()).object
        let parts = json?["services"]?.array?.compactMap(\.object) ?? []
        #expect(parts.map { $0["running"]?.bool } == [true, true, false, false] && json?["service"]?.bool == true)
        #expect(place.zx("doStopService", "realTimeScanner").status == .successful)
        try service.wait { service.state?["held_because"]?.string != nil }
        #expect(place.zx("doRestartService", "realTimeScanner").status == .successful)
        try service.wait { service.state?["held_because"] == nil }
        #expect(place.zx("doStartService", "mailbox").status == .usage)
        #expect(service.end() == 0)
    }

    @Test("The end of the service keeps what waits for it")
    func graceful() throws {
        let place = try workplace()
        let service = try Service(place)
        kill(service.pid, SIGSTOP)
        let clients = try (0..<3).map { _ in try begin(place, "doSmartScan", "deep", "true") }
        usleep(300_000)
        kill(service.pid, SIGTERM)
        kill(service.pid, SIGCONT)
        for client in clients { client.waitUntilExit() }
        while service.isRunning { usleep(10_000) }
        // Each was done in time, put off, or found no service and did it itself.
        let statuses = clients.map(\.terminationStatus)
        #expect(statuses.allSatisfy { [0, 1, 4].contains($0) }, "\(statuses)")
        let kept = try OperationFile(existingIn: place.folder.appending("state"))?.all() ?? []
        #expect(kept.count >= statuses.count { $0 == 4 }, "\(statuses) \(kept)")
        let next = try Service(place)
        try next.wait { try operations(place).isEmpty }
        #expect(try OperationFile(existingIn: place.folder.appending("state"))?.all().isEmpty == true)
        #expect(next.end() == 0)
    }
}
