import BackupStore
import SandboxServer
import Testing

@testable import BackupCore

/// Entries of "Files shared with me", whose ids no log says.
@Suite("Files shared with an account")
struct SharedFileTests {
    @Test("An entry that came, changed or went marks its account, in words, and a scan settles it", arguments: ["came", "changed", "went"])
    func marks(what: String) throws {
        let bench = try Bench()
        defer { bench.remove() }
        let plan = try bench.bob.saveDocument(Array("plan".utf8), named: "plan.txt")
        let owner = try #require(try bench.server.findAccount("bob@example.com"))
        let uuid = try #require(try bench.bob.item(plan)?.uuid)
        func share() throws -> Int64 {
            try bench.alice.addSharedFile(named: "plan.txt", of: owner, file: (plan, uuid), contentType: "text/plain", rights: "r")
        }
        let earlier = what == "came" ? nil : try share()
        try bench.backUp()
        let id: Int64
        if let earlier { id = earlier } else { id = try share() }
        if what == "changed" { try bench.alice.setRights("rw", ofSharedFile: id) }
        if what == "went" { try bench.alice.removeSharedFile(id) }
        try bench.backUp { engine in
            try engine.begin()
            try engine.catchUp()
            #expect(try engine.marks("alice@example.com").map(\.reason) == [
                "a file shared with the account came, changed or went, and the log does not say which item it is"
            ])
            try engine.scan(account: "alice@example.com")
            #expect(try engine.marks("alice@example.com") == [])
        }
        #expect(try bench.differences() == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let state = try reader.item(bench.alice.accountID, id).flatMap { ItemState(indexed: $0) }
        #expect(state?.deleted == (what == "went"))
        #expect(try state.map { try MetadataDictionary(parsing: $0.row.metadata).string("perm") } == (what == "changed" ? "rw" : "r"))
    }

    @Test("An entry comes back in a restore")
    func restored() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let plan = try bench.bob.saveDocument(Array("plan".utf8), named: "plan.txt")
        let owner = try #require(try bench.server.findAccount("bob@example.com"))
        let uuid = try #require(try bench.bob.item(plan)?.uuid)
        try bench.alice.addSharedFile(named: "plan.txt", of: owner, file: (plan, uuid), contentType: "text/plain", rights: "rw")
        try bench.backUp()
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        defer { try? store.close() }  // Nothing is written after the last check.
        let report = try RestoreOnNewAccount(source: "alice@example.com", destination: "copy@example.com", moment: .last)
            .run(from: store, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        #expect(report.isComplete && report.addsUp, "\(report.text)")
        let found = try #require(try bench.server.openMailbox("copy@example.com").items().first { $0.name == "plan.txt" })
        let map = try MetadataDictionary(parsing: found.metadata)
        #expect(map.string("oai") == owner.id && map.integer("ofi") == plan && map.string("perm") == "rw")
    }
}
