import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Bad input: targets that exist, and targets that stop in the middle")
struct BadInputTargetTests {
    private func bench() throws -> RestoringBench {
        let bench = try RestoringBench()
        let tag = ItemState(tag: TagRow(id: 500, name: "red", color: 1))
        try bench.commit(bench.folder(400, "Work"), bench.folder(401, "Below", in: 400), tag)
        try bench.commit(try (0..<150).map { try bench.message(1000 + $0, in: $0 % 3 == 0 ? 401 : 2, tags: ["red"]) })
        return bench
    }

    private var mail: [String: [String]] {
        Dictionary(grouping: 0..<150) { $0 % 3 == 0 ? "/Work/Below" : "/Inbox" }.mapValues { $0.map { "message \(1000 + $0)" } }
    }

    @Test("A server that stops answering anywhere: what it has and has not adds up; run again, the rest comes, and nothing twice",
        arguments: [0, 1, 2, 3, 4, 5, 60, 100, 152])
    func stops(_ write: Int) throws {
        let bench = try bench()
        let target = MemoryTarget()
        // The first write gets through, its answer is lost; from then on there is nobody.
        target.fault = { number, _ in number == write ? .answerLost : number > write ? .refused : nil }
        let first = Result { try bench.restore(to: target) }
        switch first {
        case .success(let report):
            #expect(report.addsUp && !report.isComplete && report.asked == 153, "\(report.asked)")
            #expect(report.unrestored.allSatisfy { $0.reason == .invalid })
            #expect(report.unrestored.first?.detail.isEmpty == false)
        case .failure(let error): #expect(write == 0 && "\(error)".contains("createAccount"), "\(error)")
        }
        target.fault = { _, _ in nil }
        let second = try bench.restore(to: target)
        #expect(second.isComplete && second.addsUp && second.isContinued, "\(second.unrestored)")
        #expect(target.mail.mapValues { $0.sorted() } == mail && target.folderPaths == ["/Work", "/Work/Below"])
        #expect(target.state.tags.map(\.name) == ["red"] && target.state.accounts.count == 1)
    }

    @Test("A destination account that exists is refused, and what it holds stays as it was")
    func existingAccount() throws {
        let bench = try bench()
        let server = try SandboxServer.create(at: bench.folder.path.appending("target"))
        _ = try server.createAccount(name: RestoringBench.destination, attributes: ["displayName": ["Somebody"]])
        _ = try server.deliver(Array("Subject: mine\r\n\r\n".utf8), to: [RestoringBench.destination])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        func restore(to name: String) throws -> RestoreReport {
            try RestoreOnNewAccount(source: "ann@example.com", destination: name, moment: .last)
                .run(from: reader, to: server, stateFolder: bench.stateFolder)
        }
        #expect { _ = try restore(to: RestoringBench.destination) } throws: {
            let error = $0 as? CoreError
            return error?.code == .alreadyExists && error?.subject == RestoringBench.destination
                && "\($0)".contains("the destination account exists already") && "\($0)".contains("Choose another name")
        }
        #expect(try server.findAccount(RestoringBench.destination)?["displayName"] == "Somebody")
        #expect(try server.openMailbox(RestoringBench.destination).items(inFolder: 2).map(\.subject) == ["mine"])
        let other = try restore(to: "another@example.com")
        #expect(other.isComplete && other.restored >= 153)
    }

    @Test("A destination folder that exists is refused, and an export that was stopped stays as it is; a new folder takes all")
    func existingFolder() throws {
        let bench = try bench()
        var asked = 0
        let stopped = try bench.export(name: "out", stop: { asked += 1; return asked > 80 })
        #expect(stopped.report.isStopped && stopped.report.addsUp)
        let files = try stopped.files
        #expect { _ = try bench.export(name: "out") } throws: {
            ($0 as? CoreError)?.code == .alreadyExists && "\($0)".contains("Name a folder that does not exist yet")
        }
        #expect(try stopped.files == files)
        let whole = try bench.export(name: "again")
        #expect(whole.report.isComplete && whole.report.exported == 150)
    }
}
