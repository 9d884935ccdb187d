import BackupCore
import BackupStore
import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import zxbackup

@Suite("The service's queue")
struct ServiceQueueTests {
    /// What a client was told.
    private final class Client: Sendable {
        let heard = Mutex<[ServiceReply]>([])
        var replies: [ServiceReply] { heard.withLock { $0 } }
    }

    private func entry(
        _ command: String, _ parameters: [String: String] = [:], _ client: Client = Client()
    ) throws -> ServiceQueue.Entry {
        let type = try #require(commandType(command) as? any QueuedCommand.Type)
        let operation = QueuedOperation(id: UUID().uuidString.lowercased(), command: command, parameters: parameters, asker: "root", time: 1)
        return ServiceQueue.Entry(
            operation: operation, invocation: try Grammar(commands: CommandTable.all).invocation(of: command, parameters, GlobalOptions()),
            lane: type.lane, urgency: type.urgency, isKept: type.isKept, reply: { reply in client.heard.withLock { $0.append(reply) } })
    }

    private func stateFolder() -> FilePath {
        FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-queue-\(UUID().uuidString)").path)
    }

    private func scan(_ account: String, _ client: Client = Client()) throws -> ServiceQueue.Entry {
        try entry("doAccountScan", ["account": account], client)
    }

    @Test("What is urgent goes first, what came first goes before its like, and restores have a thread of their own")
    func order() throws {
        let queue = ServiceQueue(nil)
        let last = Client()
        for entry in [
            try entry("doSmartScan"), try entry("doPurge"), try scan("a"), try entry("setProperty", ["name": "x", "value": "y"]), try scan("b"),
            try entry("doUndelete", ["account": "c", "start_date": "first", "end_date": "last"]),
        ] { queue.add(entry) }
        queue.add(try entry("doBackupLDAP", [:], last))
        #expect(last.replies == [.waiting(5)], "those of the other thread do not count")
        var begun: [String] = []
        while let entry = queue.begin(.writing) {
            begun.append(entry.operation.command + (entry.operation.parameters["account"] ?? ""))
            queue.end(entry.operation.id, .successful)
        }
        #expect(begun == ["setProperty", "doAccountScana", "doAccountScanb", "doSmartScan", "doPurge", "doBackupLDAP"])
        #expect(queue.begin(.reading)?.operation.command == "doUndelete")
        #expect(last.replies == [.waiting(5), .exit(.successful)])
    }

    @Test("At a safe point of a scan only what is more urgent overtakes it")
    func overtaking() throws {
        let queue = ServiceQueue(nil)
        queue.add(try entry("doSmartScan"))
        let scanning = try #require(queue.begin(.writing))
        queue.add(try entry("doPurge"))
        #expect(queue.begin(.writing, moreUrgentThan: .whenever) == nil)
        queue.add(try scan("a"))
        let urgent = try #require(queue.begin(.writing, moreUrgentThan: .whenever))
        #expect(urgent.operation.command == "doAccountScan")
        #expect(queue.json.array?.compactMap { $0.object?["state"]?.string } == ["running", "running", "queued"])
        queue.tell(Progress(what: "Item scanned", done: 3, figures: [.init(name: "a", value: "b")]), of: urgent.operation.id)
        #expect(queue.json.array?[1].object?["progress"]?.object.flatMap { Progress($0) }?.figures == [.init(name: "a", value: "b")])
        let shown = try #require(queue.json.array?[1].object)
        guard case .pair(_, let line) = StatusReport.line(shown) else { throw CocoaError(.featureUnsupported) }
        #expect(line.hasSuffix(", Item scanned: 3"), "status says how far it is: \(line)")
        queue.end(urgent.operation.id, .failed)
        #expect(queue.begin(.writing, moreUrgentThan: .whenever) == nil)
        queue.end(scanning.operation.id, .successful)
        #expect(queue.begin(.writing)?.operation.command == "doPurge")
        #expect(queue.ended.array?.compactMap { $0.object?["status"]?.int } == [1, 0])
    }

    @Test("One that runs is told to stop, one that waits is removed; each client hears which")
    func stopping() throws {
        let state = stateFolder()
        defer { try? FileManager.default.removeItem(atPath: state.string) }
        let file = try OperationFile(stateFolder: state)
        let queue = ServiceQueue(file)
        let clients = [Client(), Client(), Client()]
        for client in clients { queue.add(try entry("doSmartScan", [:], client)) }
        let running = try #require(queue.begin(.writing))
        let waiting = try file.all().map(\.id).filter { $0 != running.operation.id }
        #expect(!queue.mustStop(running.operation.id))
        let (none, removed) = queue.stop(waiting[0])
        #expect(none.isEmpty && removed == [waiting[0]] && clients[1].replies.last == .exit(.removed))
        #expect(queue.stop("nobody") == ([], []))
        let (stopping, rest) = queue.stop(nil)
        #expect(stopping == [running.operation.id] && rest == [waiting[1]])
        #expect(queue.mustStop(running.operation.id))
        queue.end(running.operation.id, .stopped)
        #expect(clients[0].replies.last == .exit(.stopped))
        #expect(try file.all().isEmpty, "what somebody stopped does not come back")
    }

    @Test("What the end of the service interrupts or leaves waiting is there for the next one; what is no operation is refused")
    func survival() throws {
        let state = stateFolder()
        defer { try? FileManager.default.removeItem(atPath: state.string) }
        let file = try OperationFile(stateFolder: state)
        let queue = ServiceQueue(file)
        let clients = [Client(), Client(), Client()]
        queue.add(try entry("doSmartScan", ["deep": "true"], clients[0]))
        let running = try #require(queue.begin(.writing))
        #expect(try file.all().map(\.attempts) == [1], "a service that dies now leaves one that was begun")
        queue.add(try entry("doPurge", [:], clients[1]))
        queue.add(try entry("setProperty", ["name": "x", "value": "y"], clients[2]))
        queue.close()
        #expect(queue.mustStop(running.operation.id) && queue.begin(.writing) == nil && queue.nextToRead() == nil)
        queue.end(running.operation.id, .stopped)
        #expect(clients[0].replies.last == .exit(.interrupted) && clients[1].replies.last == .exit(.interrupted))
        #expect(clients[2].replies.last == .refused("the service is ending"))
        let kept = try OperationFile(stateFolder: state).all()
        #expect(kept.map(\.command) == ["doSmartScan", "doPurge"] && kept[0].parameters == ["deep": "true"])
        #expect(kept.map(\.attempts) == [0, 0], "an orderly end is no attempt that failed")
        let late = Client()
        queue.add(try entry("doPurge", [:], late))
        #expect(late.replies == [.refused("the service is ending")])
    }

    @Test("One that was done while the service was ending does not come back")
    func doneInTime() throws {
        let state = stateFolder()
        defer { try? FileManager.default.removeItem(atPath: state.string) }
        let file = try OperationFile(stateFolder: state)
        let queue = ServiceQueue(file)
        for status in [CommandStatus.successful, .failed] {
            queue.add(try entry("doSmartScan"))
            queue.end(try #require(queue.begin(.writing)).operation.id, status)
        }
        queue.add(try entry("doSmartScan"))
        let last = try #require(queue.begin(.writing))
        queue.close()
        queue.end(last.operation.id, .successful)
        #expect(try file.all().isEmpty)
    }

    @Test("More than a hundred are refused; one of the schedule that waits already is not doubled")
    func limits() throws {
        let queue = ServiceQueue(nil)
        for _ in 0..<3 { queue.addOnce(try entry("doSmartScan")) }
        #expect(queue.json.array?.count == 1)
        _ = queue.begin(.writing)
        queue.addOnce(try entry("doSmartScan"))
        #expect(queue.json.array?.count == 1, "it runs")
        for _ in 0..<ServiceQueue.limit { queue.add(try entry("doPurge")) }
        let refused = Client()
        queue.add(try entry("doPurge", [:], refused))
        #expect(refused.replies == [.refused("100 operations are waiting already")])
    }

    @Test("The reader's thread waits for its next operation, and ends with the queue")
    func reader() throws {
        let queue = ServiceQueue(nil)
        let done = Mutex<[String]>([])
        let group = DispatchGroup()
        group.enter()
        let thread = Thread {
            while let entry = queue.nextToRead() {
                done.withLock { $0.append(entry.operation.parameters["account"] ?? "") }
                queue.end(entry.operation.id, .successful)
            }
            group.leave()
        }
        thread.start()
        for account in ["a", "b", "c"] {
            queue.add(try entry("doUndelete", ["account": account, "start_date": "first", "end_date": "last"]))
        }
        while done.withLock({ $0.count }) < 3 { usleep(2000) }
        queue.close()
        group.wait()
        #expect(done.withLock { $0 } == ["a", "b", "c"])
    }
}
