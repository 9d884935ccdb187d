import BackupCore
import BackupStore
import Foundation
import GRDB
import SystemPackage
import Testing

@Suite("The operations that are kept")
struct OperationFileTests {
    private func operation(_ number: Int, _ parameters: [String: String] = [:]) -> QueuedOperation {
        QueuedOperation(
            id: "00000000-0000-0000-0000-00000000000\(number)", command: "doSmartScan", parameters: parameters, isJSON: number == 2,
            asker: "root", time: 1_393_556_474_000 + Int64(number))
    }

    @Test("What was kept is there for the next program, in its order; what is done is not")
    func keeping() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let state = folder.path.appending("new/state")
        #expect(try OperationFile(existingIn: state) == nil, "reading makes no file")
        let file = try OperationFile(stateFolder: state)
        #expect(try file.all().isEmpty)
        let operations = [1, 2, 3].map { operation($0, ["account": "bob\($0)@example.com", "date": "last"]) }
        for operation in operations { try file.keep(operation) }
        var begun = operations[0]
        begun.attempts = 2
        try file.keep(begun)
        let next = try #require(try OperationFile(existingIn: state))
        #expect(try next.all() == [begun, operations[1], operations[2]], "what changes keeps its place")
        try next.remove(operations[1].id)
        try next.remove("nobody")
        #expect(try file.all() == [begun, operations[2]])
    }

    @Test("A line that is no operation keeps nobody else from being done")
    func poisoned() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try OperationFile(stateFolder: folder.path)
        try file.keep(operation(1))
        let database = try DatabaseQueue(path: folder.path.appending("operations.sqlite").string)
        try database.write { database in
            for (id, text) in [("a", "{"), ("b", "{}"), ("c", #"{"id":"c","operation":"x","parameters":{"a":1},"asker":"","since":1}"#)] {
                try database.execute(sql: "INSERT INTO operation (id, json) VALUES (?, ?)", arguments: [id, text])
            }
        }
        try file.keep(operation(2))
        #expect(try file.all() == [operation(1), operation(2)])
        #expect(try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM operation") } == 2)
    }

    @Test("A file that is no database is named, with what to do")
    func damaged() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try Data(repeating: 0x41, count: 5000).write(to: folder.url.appendingPathComponent("operations.sqlite"))
        let error = #expect(throws: CoreError.self) { try OperationFile(stateFolder: folder.path) }
        #expect(error?.description.contains("operations.sqlite") == true && error?.description.contains("empties the queue") == true)
    }
}
