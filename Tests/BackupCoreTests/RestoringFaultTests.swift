import BackupStore
import Foundation
import SystemPackage
import Testing

@testable import BackupCore

@Suite("A restore when something goes wrong")
struct RestoringFaultTests {
    @Test("R10: a rotten blob is an unrestored item, and the target never sees a byte of it")
    func rottenBlob() throws {
        let bench = try RestoringBench()
        let rotten = try bench.message(300, "this one rots")
        let missing = try bench.message(301, "this one is lost")
        var unread = try bench.message(302, "this one was never readable")
        unread.blob = nil
        try bench.commit(rotten, missing, unread, try bench.message(303))
        var bytes = try Data(contentsOf: bench.file(of: rotten))
        bytes[bytes.count - 6] ^= 0x40
        try bytes.write(to: bench.file(of: rotten))
        try FileManager.default.removeItem(at: bench.file(of: missing))

        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.mail == ["/Inbox": ["message 303"]])
        #expect(target.writes == 3, "the account, one message, and the account's attributes")
        #expect(Dictionary(uniqueKeysWithValues: report.unrestored.map { ($0.id, $0.reason) })
            == [300: .broken, 301: .readError, 302: .readError])
        #expect(report.addsUp && report.restored == 1 && !report.isComplete)
        #expect(report.text.hasPrefix("- stats -\nRestored Items: 1\nSkipped Items:  0\nUnrestored Items: 3\n"))
        #expect(report.text.contains("- unrestored items -\naccount: ann@example.com\nunrestored items: 300,301,302\n"))
    }

    @Test("A history that is damaged where the answer would be is a broken item; the others are restored")
    func damagedHistory() throws {
        let bench = try RestoringBench()
        let message = try bench.message(300)
        try bench.commit(bench.folder(400, "Work"))
        try bench.commit(message, try bench.message(301))
        let wanted = try bench.commit(bench.moved(message, to: 400))
        try bench.commit(bench.deleted(message))
        try bench.store.checkpoint()
        // The second line: the state that the moment asks for.
        var lines = try String(contentsOf: bench.historyFile(300), encoding: .utf8).split(separator: "\n").map(String.init)
        lines[1] = lines[1].replacingOccurrences(of: "\"folder\":400", with: "\"folder\":401")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: bench.historyFile(300))

        let target = MemoryTarget()
        let report = try bench.restore(.second(wanted), to: target)
        #expect(target.mail == ["/Inbox": ["message 301"]])
        #expect(report.unrestored.map(\.id) == [300] && report.unrestored[0].reason == .broken)
        #expect(report.addsUp)
    }

    @Test("What the server refuses is unrestored; an item whose answer got lost is there once")
    func refusals() throws {
        let bench = try RestoringBench()
        try bench.commit(try (0..<10).map { try bench.message(300 + $0) })
        let target = MemoryTarget()
        target.fault = { number, _ in number == 3 ? .refused : number == 5 ? .answerLost : nil }
        let report = try bench.restore(to: target)
        #expect(target.state.messages.count == 9)
        #expect(report.restored == 9 && report.unrestored.map(\.reason) == [.invalid] && report.addsUp)
    }

    @Test("The messages of a folder that was refused are unrestored too")
    func refusedFolder() throws {
        let bench = try RestoringBench()
        try bench.commit(bench.folder(400, "Work"), bench.folder(401, "Below", in: 400), try bench.message(300, in: 401), try bench.message(301))
        let target = MemoryTarget()
        target.fault = { _, name in name == "addFolder Work" ? .refused : nil }
        let report = try bench.restore(to: target)
        #expect(target.mail == ["/Inbox": ["message 301"]])
        #expect(Set(report.unrestored.map(\.id)) == [300, 400, 401] && report.addsUp)
        #expect(report.unrestored.allSatisfy { $0.reason == .invalid } && report.text.contains("\ninvalid: 3\n"))
    }

    @Test("An account that is there already is refused before anything is written")
    func existing() throws {
        let bench = try RestoringBench()
        let target = MemoryTarget()
        target.state.accounts["x"] = AccountEntry(id: "x", name: RestoringBench.destination)
        #expect { _ = try bench.restore(to: target) } throws: {
            ($0 as? CoreError)?.code == .alreadyExists && "\($0)".contains("the destination account exists already")
        }
        #expect(target.writes == 0)
    }

    @Test("A completed restore is not run into its account again; one as of another date does not continue an interrupted one")
    func again() throws {
        let bench = try RestoringBench()
        let second = try bench.commit(try bench.message(300))
        let target = MemoryTarget()
        #expect(try bench.restore(.second(second), to: target, stop: { target.writes > 0 }).isStopped)
        #expect { _ = try bench.restore(.last, to: target) } throws: { "\($0)".contains("which was interrupted") }
        #expect(try bench.restore(.second(second), to: target).isContinued)
        #expect { _ = try bench.restore(.second(second), to: target) } throws: { "\($0)".contains("was completed") }
        #expect(target.state.messages.count == 1)
    }

    @Test("Stopped and run again, it continues with the same state of the mailbox, whatever came since")
    func stopped() throws {
        let bench = try RestoringBench()
        try bench.commit(try (0..<100).map { try bench.message(300 + $0) })
        let target = MemoryTarget()
        let first = try bench.restore(.last, to: target, stop: { target.state.messages.count >= 50 })
        #expect(first.isStopped && !first.isComplete && first.restored == 50 && first.addsUp)
        #expect(first.text.contains("Restored Items: 50\n") && first.text.contains("Stopped by request"))
        try bench.commit(bench.deleted(try bench.message(399)), try bench.message(900))
        let report = try bench.restore(.last, to: target)
        #expect(target.state.messages.count == 100)
        #expect(report.isContinued && !report.isStopped && report.skipped == 50 && report.restored == 50 && report.addsUp)
    }

    @Test("What was restored and then vanished from the target is restored again")
    func vanished() throws {
        let bench = try RestoringBench()
        try bench.commit(try (0..<10).map { try bench.message(300 + $0) })
        let target = MemoryTarget()
        #expect(try bench.restore(to: target, stop: { target.state.messages.count >= 5 }).isStopped)
        target.state.messages.removeFirst(2)
        let report = try bench.restore(to: target)
        #expect(target.state.messages.count == 10)
        #expect(report.skipped == 3 && report.restored == 7 && report.addsUp)
    }

    @Test("Two restores into one account at a time are refused")
    func lock() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let map = try IDMap(folder: folder.path, account: "a", mailbox: 1, origin: "x")
        #expect(throws: CoreError.self) { try IDMap(folder: folder.path, account: "a", mailbox: 1, origin: "x") }
        try map.close()
        try IDMap(folder: folder.path, account: "a", mailbox: 1, origin: "x").close()
    }

    /// A kill at any write: the state folder and the target are kept as they were at that moment, and the restore is run from there.
    @Test("Killed at any write and run again, nothing is missing and nothing is restored twice", arguments: [UInt64(7), 20_251_125])
    func killed(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bench = try RestoringBench()
        try bench.commit(
            bench.folder(400, "Work"), bench.folder(401, "Deep", in: 400), ItemState(tag: TagRow(id: 500, name: "red", color: 1)))
        try bench.describe(
            attributes: ["displayName": ["Ann"], "zimbraPrefMailForwardingAddress": ["ann@example.org"]],
            children: AccountChild.Kind.allCases.map { kind in AccountChild(kind, attributes: [kind.nameAttribute: ["one"], kind.idAttribute: ["1"]]) })
        // Twins in one folder with one date are told apart by their number only.
        try bench.commit(try (0..<200).map { place in
            try bench.message(1000 + place, in: [2, 400, 401][Int(place % 3)], place % 5 == 0 ? "twin" : nil, date: 500)
        })
        let whole = MemoryTarget()
        let total = try bench.restore(to: whole, stateFolder: bench.stateFolder.appending("whole"))
        #expect(total.isComplete && total.addsUp && total.asked == 203)

        for round in 0..<6 {
            let victim = Int.random(in: 0..<whole.writes, using: &random)
            let kept = bench.stateFolder.appending("kept-\(seed)-\(round)")
            let running = bench.stateFolder.appending("running-\(seed)-\(round)")
            let afterwards = Bool.random(using: &random)
            var left: MemoryTarget.State?
            let target = MemoryTarget()
            func keep() {
                left = target.state
                try? FileManager.default.copyItem(atPath: running.string, toPath: kept.string)
            }
            target.fault = { number, _ in
                if number == victim, !afterwards { keep() }
                return nil
            }
            target.written = { number, _ in if number == victim, afterwards { keep() } }
            _ = try bench.restore(to: target, stateFolder: running)

            let survivor = MemoryTarget()
            survivor.state = try #require(left)
            let report = try bench.restore(to: survivor, stateFolder: kept)
            let place = "seed \(seed), killed \(afterwards ? "after" : "before") write \(victim)"
            #expect(survivor.mail == whole.mail, "\(place)")
            #expect(survivor.folderPaths == whole.folderPaths, "\(place)")
            #expect(survivor.state.tags.map(\.name) == ["red"], "\(place)")
            #expect(survivor.state.accounts.count == 1, "\(place)")
            #expect(survivor.restored == whole.restored, "\(place)")
            #expect(report.isComplete && report.addsUp && report.asked == 203, "\(place)")
        }
    }

    @Test("What was begun and what became of each item is the owner's only", arguments: [nil, 0o644] as [Int?])
    func rights(before: Int?) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.path.appending("restores.sqlite").string
        if let before {
            try Data().write(to: URL(fileURLWithPath: file))
            try FileManager.default.setAttributes([.posixPermissions: before], ofItemAtPath: file)
        }
        let records = try RestoreRecords(folder: folder.path)
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        withExtendedLifetime(records) {}
    }

    @Test("The intent to write an item is durable before it is written, and at most 64 are open")
    func intents() throws {
        let bench = try RestoringBench()
        try bench.commit(try (0..<150).map { try bench.message(300 + $0) })
        let target = MemoryTarget()
        var open: [Int] = []
        defer { target.fault = { _, _ in nil } }  // It holds the bench, and so its folder.
        target.fault = { number, name in
            guard name == "addItem", number % 10 == 0, let account = target.state.accounts.keys.first else { return nil }
            let copy = bench.folder.path.appending("copy-\(number)")
            do {
                try FileManager.default.copyItem(atPath: bench.stateFolder.string, toPath: copy.string)
                let map = try IDMap(
                    folder: copy, account: account, mailbox: 7, origin: "\(try bench.store.info().storeID)/\(bench.account)/1")
                let intents = try map.inFlight()
                let next = 300 + Int64(target.state.messages.count)
                #expect(intents.contains(next), "item \(next) is being written without an intent")
                open.append(intents.count)
                try map.close()
            } catch {
                Issue.record(error)
            }
            return nil
        }
        _ = try bench.restore(to: target)
        #expect(open.count == 15 && open.allSatisfy { (1...64).contains($0) }, "\(open)")
    }
}
