import Glibc
import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Opening a backup path")
struct OpeningTests {
    let folder = TemporaryFolder()
    var path: FilePath { folder.appending("backup") }

    private func code(_ body: () throws -> Void) -> StoreError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? StoreError)?.code
        }
    }

    private func write(_ text: String, to name: String) throws {
        let file = try PosixFileSystem().open(folder.path.pushing(FilePath(name)), .createOrUpdate)
        try file.truncate(to: 0)
        try Array(text.utf8).withUnsafeBytes { try file.write($0, at: 0) }
        file.close()
    }

    @Test("R8: a second writer is refused by name and pid, readers are not, and the lock goes with its holder")
    func lock() throws {
        try StoreWriter.create(path, serverID: "s")
        let first = try StoreWriter(opening: path, serverID: "s")
        do {
            _ = try StoreWriter(opening: path, serverID: "s")
            Issue.record("a second writer opened the path")
        } catch let error as StoreError {
            #expect(error.code == .locked && error.remedy.contains("pid \(getpid())"), "\(error)")
        }
        #expect(try StoreReader(opening: path).info().serverID == "s")
        try first.close()
        try StoreWriter(opening: path, serverID: "s").close()
    }

    @Test("R8: writing to another server's path is refused, reading it is not")
    func server() throws {
        try StoreWriter.create(path, serverID: "one")
        #expect(code { _ = try StoreWriter(opening: path, serverID: "two") } == .wrongServer)
        #expect(try StoreReader(opening: path).info().serverID == "one")
    }

    @Test("A newer format and unknown features are refused clearly, by writers and readers")
    func format() throws {
        try StoreWriter.create(path, serverID: "s")
        for text in [
            #"{"format":2,"features":[],"store":"x","server":"s"}"#,
            #"{"format":1,"features":["sharded"],"store":"x","server":"s"}"#,
        ] {
            try write(text, to: "backup/zxbackup.json")
            #expect(code { _ = try StoreWriter(opening: path, serverID: "s") } == .unknownFormat)
            #expect(code { _ = try StoreReader(opening: path) } == .unknownFormat)
        }
        try write("{", to: "backup/zxbackup.json")
        #expect(code { _ = try StoreReader(opening: path) } == .damaged)
    }

    @Test("A path is made only in an empty folder; Zextras Backup's data are named and refused")
    func create() throws {
        let files = PosixFileSystem()
        try files.makeFolder(path)
        try write("x", to: "backup/notes.txt")
        #expect(code { try StoreWriter.create(path, serverID: "s") } == .notEmpty)
        #expect(code { _ = try StoreReader(opening: path) } == .notABackupPath)
        let theirs = folder.appending("theirs")
        for name in ["", "accounts", "accounts/\(account)", "items", "items/c0", "server"] {
            try files.makeFolder(name.isEmpty ? theirs : theirs.pushing(FilePath(name)))
        }
        try write("x", to: "theirs/accounts/\(account)/backupstat")
        #expect(code { try StoreWriter.create(theirs, serverID: "s") } == .foreignBackup)
        #expect(code { _ = try StoreReader(opening: theirs) } == .foreignBackup)
        let ours = folder.appending("ours")
        try StoreWriter.create(ours, serverID: "s")
        #expect(code { try StoreWriter.create(ours, serverID: "s") } == .notEmpty)
    }

    @Test("Files are 0600 and folders 0700, SQLite's own ones, too")
    func modes() throws {
        try StoreWriter.create(path, serverID: "s")
        let writer = try StoreWriter(opening: path, serverID: "s")
        let blob = try writer.stageBlob([1, 2, 3])
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.commit()
        try writer.checkpoint()
        var seen: Set<String> = []
        func walk(_ place: FilePath) throws {
            for entry in try PosixFileSystem().list(place) {
                let child = place.appending(entry.name)
                var status = stat()
                #expect(child.withPlatformString { lstat($0, &status) } == 0)
                #expect(status.st_mode & 0o777 == (entry.isFolder ? 0o700 : 0o600), "\(child)")
                seen.insert(entry.name)
                if entry.isFolder { try walk(child) }
            }
        }
        try walk(path)
        #expect(seen.isSuperset(of: ["zxbackup.json", "lock", "index.sqlite", "index.sqlite-wal", "index.sqlite-shm", blob.id.description]))
        try writer.close()
    }

    @Test("A file system that does not tell upper from lower case is refused")
    func caseInsensitive() throws {
        let store = try StoreOnDisk()
        let name = (BackupPath.temporaryPrefix + "case").uppercased()
        store.disk.place(name, [])  // As such a file system answers.
        #expect { _ = try store.open() } throws: { error in
            (error as? StoreError)?.code == .caseInsensitive && "\(error)".contains(store.path.string)
                && "\(error)".contains("does not tell upper case from lower case; blobs would overwrite each other")
        }
        #expect(try store.reader().info().lastSequence == 0, "reading is allowed")
    }

    @Test("R13: unfinished files are ignored by readers and removed by the next writer")
    func temporaries() throws {
        let store = try StoreOnDisk()
        try store.open().close()
        for name in [".tmp-x", "items/.tmp-1", "journal/.tmp-checkpoint-9"] { store.disk.place(name, [1, 2, 3]) }
        #expect(try store.reader().info().lastSequence == 0)
        let writer = try store.open()
        #expect(store.disk.contents().keys.allSatisfy { !$0.contains(".tmp-") })
        try writer.close()
    }

    @Test("R13: no file of the store changes without changing its size or name")
    func changes() throws {
        let store = try StoreOnDisk()
        var seen: [String: [UInt8]] = [:]
        func look(_ moment: String) {
            for (name, bytes) in store.disk.contents() where name != "journal/lock" {
                if let before = seen[name], before.count == bytes.count { #expect(before == bytes, "\(name) \(moment)") }
                seen[name] = bytes
            }
        }
        for round in 0..<4 {
            var run = StandardRun()
            let writer = try store.open()
            look("after opening \(round)")
            try run.work(writer)
            look("after work \(round)")
            if round % 2 == 0 { store.crash(writer, round == 0 ? .synced : .everything) } else { try writer.close() }
            look("after closing \(round)")
        }
    }

    @Test("The index may be deleted at any time and comes back by itself, also under a writer at work")
    func deletedIndex() throws {
        try StoreWriter.create(path, serverID: "s")
        var writer = try StoreWriter(opening: path, serverID: "s")
        for n in 1...20 {
            try writer.append(message(Int64(n), time: Int64(n) * 1000, change: Int64(n), position: "p\(n)"))
            try writer.append(
                StoreTransaction(
                    account: account, time: 1, marks: n == 7 ? [Mark(reason: "gap", candidates: [3, 4], time: 9)] : []))
        }
        try writer.commit()
        try writer.checkpoint()
        FolderTree.remove(path.appending("index"))
        let orphan = try StoreReader(opening: path)
        #expect(orphan.usesPrivateIndex)
        #expect(try orphan.items(account, .all).count == 20)
        orphan.close()
        try writer.append(message(21, time: 21_000, change: 21))
        try writer.commit()
        let reader = try StoreReader(opening: path)
        #expect(!reader.usesPrivateIndex, "the writer made it anew")
        #expect(try reader.items(account, .all).count == 21)
        reader.close()
        try writer.close()
        FolderTree.remove(path.appending("index"))
        writer = try StoreWriter(opening: path, serverID: "s")
        #expect(writer.recovery.indexRebuilt && writer.recovery.findings.isEmpty)
        #expect(try writer.items(account, .all).count == 21)
        #expect(writer.position == "p20" && writer.lastSequence == 41)
        #expect(
            try writer.marks(account) == [Mark(reason: "gap", candidates: [3, 4], time: 9)], "kept in account_stat and journal")
        #expect(try writer.cut(account, atOrBeforeSecond: 5)?.last.change == 5)
        try writer.append(StoreTransaction(account: account, time: 1, clearsMarks: true))
        try writer.commit()
        try writer.rebuildIndex()
        #expect(try writer.marks(account).isEmpty)
        try writer.close()
        try write("this is no database", to: "backup/index/index.sqlite")
        writer = try StoreWriter(opening: path, serverID: "s")
        #expect(try writer.items(account, .all).count == 21)
        try writer.close()
    }

    @Test("An index behind the journal catches up by replay")
    func oldIndex() throws {
        let store = try StoreOnDisk()
        var writer = try store.open()
        try writer.append(message(1, time: 1000, change: 1))
        try writer.commit()
        writer.abandon()
        let index = store.path.appending("index")
        let kept = store.folder.appending("kept")
        try TemporaryFolder.copy(index, to: kept)
        store.disk = store.disk.afterCrash(.everything)
        writer = try store.open()
        try writer.append(message(2, time: 2000, change: 2, position: "two"))
        try writer.append(message(1, folder: 4, time: 2000, change: 3))
        try writer.commit()
        store.crash(writer, .synced)
        store.removeIndex()
        try TemporaryFolder.copy(kept, to: index)
        writer = try store.open()
        #expect(!writer.recovery.indexRebuilt)
        #expect(try writer.item(account, 1)?.fields["folder"] == 4 && writer.position == "two")
        #expect(try writer.history(of: .item(account: account, id: 1)).lines.count == 2)
        try writer.close()
    }

    @Test("R9: change numbers name a change within a generation; the commit order is the order")
    func order() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        func change(_ number: Int64, _ generation: Int64, _ second: Int64, _ id: Int64) throws {
            try writer.append(
                StoreTransaction(
                    account: account, generation: generation, time: second * 1000 + 999, change: number,
                    states: [NewState(key: .item(account: account, id: id), fields: ["type": "message", "folder": .int(number)])])
            )
        }
        try change(10, 1, 100, 1)
        try change(12, 1, 105, 1)
        try change(11, 1, 106, 1)  // A server that recovered repeats a change under its old number.
        try change(13, 1, 103, 1)  // The clock stepped back.
        try change(3, 2, 200, 1)  // Another life of the mailbox.
        try writer.commit()
        #expect(try writer.item(account, 1)?.fields["folder"] == 3, "commit order, not change order")
        #expect(try writer.history(of: .item(account: account, id: 1)).lines.map(\.change) == [10, 12, 11, 13, 3])
        #expect(try writer.cut(account, atOrBeforeSecond: 105)?.sequence == 4, "R14: the last one whose second is not later")
        #expect(try writer.cut(account, atOrBeforeSecond: 105)?.clockSteppedBack == true)
        #expect(try writer.cut(account, atOrBeforeSecond: 103)?.sequence == 4)
        #expect(
            try writer.cut(account, atOrBeforeSecond: 100)
                == Cut(
                    last: AccountChange(sequence: 1, time: 100_999, change: 10, generation: 1),
                    next: AccountChange(sequence: 2, time: 105_999, change: 12, generation: 1), clockSteppedBack: false))
        #expect(try writer.cut(account, atOrBeforeSecond: 99) == nil)
        try writer.append(
            StoreTransaction(
                account: account, generation: 2, time: 300_000, kind: "scan",
                states: [NewState(key: .accountInfo(account), fields: ["name": "ann"])]))
        try change(4, 2, 250, 1)
        try writer.commit()
        #expect(try writer.cut(account, change: 4)?.clockSteppedBack == false, "a scan has another clock")
        #expect(try writer.hasChange(account, generation: 1, change: 11))
        #expect(try !writer.hasChange(account, generation: 2, change: 11), "R9: comparable within one generation only")
        #expect(try writer.changes(of: account)?.first.change == 10)
        try writer.close()
    }

    @Test("What the store cannot keep is refused before anything changes")
    func invalid() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for bad in ["../x", "", ".hidden", "a/b", String(repeating: "x", count: 300), "a\u{0}b"] {
            #expect(code { try writer.append(message(1, time: 1, change: 1, account: bad)) } == .invalidInput, "\(bad)")
        }
        for time in [Int64.min, StoreTransaction.times.lowerBound - 1, StoreTransaction.times.upperBound + 1, .max] {
            #expect(code { try writer.append(message(1, time: time, change: 1)) } == .invalidInput, "\(time)")
        }
        let reserved = NewState(key: .accountInfo(account), fields: ["seq": 1])
        #expect(code { try writer.append(StoreTransaction(account: account, time: 1, states: [reserved])) } == .invalidInput)
        let twice = message(1, time: 1, change: 1).states + message(1, folder: 5, time: 1, change: 1).states
        #expect(code { try writer.append(StoreTransaction(account: account, time: 1, states: twice)) } == .invalidInput)
        try writer.append(message(1, time: 1, change: 1))
        try writer.commit()
        #expect(writer.lastSequence == 1)
        try writer.begin(StoreTransaction(account: account, time: 2))
        try writer.add(twice[0])
        #expect(code { try writer.add(twice[1]) } == .invalidInput)
        try writer.end()
        try writer.commit()
        #expect(try writer.history(of: twice[0].key).lines.count == 2)
        try writer.close()
        #expect(code { try writer.append(message(1, time: 1, change: 1)) } == .closed)
    }
}
