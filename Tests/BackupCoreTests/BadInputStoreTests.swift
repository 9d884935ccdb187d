import BackupStore
import Foundation
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Bad input: blobs and history lines that are rotten or gone when they are needed")
struct BadInputStoreTests {
    @Test("A blob that is missing or rotten: its item is named, the others come, and once it is back the next run completes")
    func blobs() throws {
        let bench = try RestoringBench()
        let states = try (0..<6).map { try bench.message(300 + $0) }
        try bench.commit(states)
        let files = states[..<3].map { bench.file(of: $0) }
        let whole = try files.map { try Data(contentsOf: $0) }
        try FileManager.default.removeItem(at: files[0])
        try Data(whole[1].prefix(20)).write(to: files[1])
        var flipped = whole[2]
        flipped[flipped.count / 2] ^= 1
        try flipped.write(to: files[2])

        let target = MemoryTarget()
        let first = try bench.restore(to: target)
        #expect(first.addsUp && first.restored == 3 && !first.isComplete)
        #expect(first.unrestored.map(\.id) == [300, 301, 302] && first.unrestored.map(\.reason) == [.readError, .broken, .broken])
        for (item, state) in zip(first.unrestored, states) {
            #expect(item.detail.contains("reading blob") && item.detail.contains(state.blob!.id.description), "\(item.detail)")
            #expect(item.detail.contains("takes it from the live server"), "\(item.detail)")
        }
        for (file, bytes) in zip(files[..<2], whole) { try bytes.write(to: file) }
        let second = try bench.restore(to: target)
        #expect(second.addsUp && second.isContinued && second.restored == 2 && second.skipped == 3
            && second.unrestored.map(\.id) == [302])
        try whole[2].write(to: files[2])
        let third = try bench.restore(to: target)
        #expect(third.isComplete && third.restored == 1 && third.skipped == 5)
        #expect(target.mail == ["/Inbox": (300..<306).map { "message \($0)" }], "nothing twice")
        #expect { _ = try bench.restore(to: target) } throws: { "\($0)".contains("was completed") }
    }

    /// What happens to a line of item 300's history, of which there are three.
    enum Harm: String, CaseIterable {
        case torn, flipped, missing
    }

    @Test("A history line that is torn, flipped or missing: never a wrong state, the others come, and the history goes on",
        arguments: Harm.allCases, 0..<3)
    func lines(_ harm: Harm, _ line: Int) throws {
        let bench = try RestoringBench()
        let message = try bench.message(300)
        try bench.commit(bench.folder(400, "One"), bench.folder(401, "Two"), bench.folder(402, "Three"), bench.folder(403, "Four"))
        var moments = [try bench.commit(bench.moved(message, to: 400), try bench.message(301))]
        moments.append(try bench.commit(bench.moved(message, to: 401)))
        moments.append(try bench.commit(bench.moved(message, to: 402)))
        try bench.store.close()  // With a checkpoint: nothing will be written anew from the journal.
        let file = bench.historyFile(300)
        let lines = try Data(contentsOf: file).split(separator: UInt8(ascii: "\n")).map { Data($0) }
        #expect(lines.count == 3)
        var damaged = lines
        switch harm {
        case .torn: damaged[line] = damaged[line].prefix(damaged[line].count / 2)
        case .flipped: damaged[line][damaged[line].startIndex + 100] ^= 4
        case .missing: damaged.remove(at: line)
        }
        var bytes = Data(damaged.joined(separator: [UInt8(ascii: "\n")]))
        if !(harm == .torn && line == 2) { bytes.append(UInt8(ascii: "\n")) }
        try bytes.write(to: file)

        let folders = ["/One", "/Two", "/Three", "/Four"]
        func check(_ place: Int, _ when: String) throws {
            let target = MemoryTarget()
            let report = try bench.restore(
                place < 3 ? .second(moments[place]) : .last, to: target, stateFolder: bench.stateFolder.appending(UUID().uuidString))
            #expect(report.addsUp && target.mail["/Inbox"] == ["message 301"], "\(when)")
            if target.mail[folders[place]] != ["message 300"] {
                #expect(target.mail.count == 1, "another state than the one that was asked for, \(when)")
                #expect(report.unrestored.map(\.id) == [300] && report.unrestored[0].reason == .broken, "\(when)")
                #expect(report.unrestored.first?.detail.contains("accounts/\(bench.account)/items/00/300") == true,
                    "\(report.unrestored)")
            } else {
                #expect(report.unrestored == [], "\(when)")
            }
        }
        for place in 0..<3 { try check(place, "\(harm) line \(line), state \(place)") }

        // The store opens for writing and goes on with this very item; what is damaged stays named.
        let store = try StoreWriter(opening: bench.backupPath, serverID: "11111111-0000-4000-8000-000000000001")
        let blob = try store.stageBlob(Array("message 300".utf8))
        var next = bench.moved(message, to: 403)
        next.blob = blob
        try store.append(
            StoreTransaction(
                account: bench.account, time: (bench.second + 5) * 1000, change: 500, states: [next.newState(account: bench.account)]))
        try store.commit()
        let history = try store.history(of: .item(account: bench.account, id: 300))
        #expect(history.lines.last?.fields["folder"] == 403)
        #expect(history.damage.contains { "\($0)".contains("items/00/300") }, "\(history)")
        try store.close()
        for place in 0..<4 { try check(place, "\(harm) line \(line), state \(place), a line later") }
        let again = try StoreWriter(opening: bench.backupPath, serverID: "11111111-0000-4000-8000-000000000001")
        try again.rebuildIndex()
        #expect(again.recovery.findings.contains { "\($0)".contains("items/00/300") }, "\(again.recovery.findings)")
        try again.close()
        for place in 0..<4 { try check(place, "\(harm) line \(line), state \(place), with a new index") }
    }

    @Test("A history that is gone whole: the index still has its last state, and the others come in any case")
    func wholeHistory() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300), try bench.message(301))
        try bench.store.close()
        try FileManager.default.removeItem(at: bench.historyFile(300))
        let target = MemoryTarget()
        #expect(try bench.restore(to: target).isComplete && target.mail == ["/Inbox": ["message 300", "message 301"]])
        let store = try StoreWriter(opening: bench.backupPath, serverID: "11111111-0000-4000-8000-000000000001")
        #expect(try store.history(of: .item(account: bench.account, id: 300)).lines.isEmpty)
        try store.rebuildIndex()
        try store.close()
        let after = MemoryTarget()
        #expect(try bench.restore(to: after, stateFolder: bench.stateFolder.appending("after")).addsUp)
        #expect(after.mail["/Inbox"]?.contains("message 301") == true)
    }
}
