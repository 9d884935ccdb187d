import BackupCore
import Foundation
import LifeChecks
import SystemPackage
import Testing

/// `make lives N=1000` does the same with more seeds, optimised.
@Suite("Seeded lives of a whole server")
struct LivesTests {
    private static let count = ProcessInfo.processInfo.environment["ZXBACKUP_LIVES"].flatMap(UInt64.init) ?? 6

    @Test("A life comes back as it was at every moment noted", arguments: 1...count)
    func life(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let outcome = try LifeCheck(seed: seed).run(in: folder.path)
        #expect(outcome.differences == [])
        #expect(outcome.restores > 0 && outcome.selections >= outcome.restores)
    }

    /// What is changed in a mailbox that was noted, and what is said of it then: of the selection, and of the restore where
    /// that is not the same difference once more.
    struct Planted: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var selected: String
        var restored: String?
        var plant: @Sendable (inout MailboxNote) -> Void
    }

    private static let planted = [
        Planted(testDescription: "a flag", selected: "flags") { note in
            note.change(aMessage: { $0.row.flags.formSymmetricDifference(.flagged) })
        },
        Planted(testDescription: "an item that is not there", selected: "is missing") { note in
            guard var state = note.message else { return }
            state.row.id = 900_000
            note.states[900_000] = state
        },
        Planted(testDescription: "an item that was lost", selected: "is too many") { note in
            if let id = note.message?.row.id { note.states[id] = nil }
        },
        Planted(testDescription: "a byte of a content", selected: "another content", restored: "content differs") { note in
            guard let digest = note.message?.row.blobDigest else { return }
            note.contents[digest]?[20] ^= 1
        },
        Planted(testDescription: "a section", selected: "sections") { note in note.sections["planted"] = "d1:vi10ee" },
    ]

    @Test("A difference that is planted in what was noted is found", arguments: planted)
    func plantedDifference(_ one: Planted) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var check = LifeCheck(seed: 1)
        check.operations = 60
        check.spoil = one.plant
        let differences = try check.run(in: folder.path).differences.filter { !$0.hasPrefix("    ") }
        #expect(differences.contains { !$0.contains("restored:") && $0.contains(one.selected) })
        if let restored = one.restored { #expect(differences.contains { $0.contains("restored:") && $0.contains(restored) }) }
    }
}

extension MailboxNote {
    fileprivate var message: ItemState? { states.values.filter { $0.row.type == .message }.min { $0.row.id < $1.row.id } }

    fileprivate mutating func change(aMessage change: (inout ItemState) -> Void) {
        if var message {
            change(&message)
            states[message.row.id] = message
        }
    }
}
