import BackupStoreTesting
import Glibc
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Symbolic links below the backup path")
struct SymbolicLinkTests {
    private typealias Writer = FileStoreWriter<PosixFileSystem>

    private static let body = Array("From: a@b.c\r\n\r\nHello".utf8)
    private static let keys: [HistoryKey] = [
        .item(account: account, id: 257), .accountInfo(account), .mailbox(account), .directory(.domains, "example.com"),
    ]

    let folder = TemporaryFolder()

    private var outside: FilePath { folder.appending("outside") }

    /// With the kernel's help, or each part of a path by itself.
    private func files(_ path: FilePath, _ asksKernel: Bool) -> PosixFileSystem {
        PosixFileSystem(LinkFreeTree(path, asksKernel: asksKernel))
    }

    /// A path with a file of every kind.
    private func make(_ path: FilePath) throws {
        try StoreWriter.create(path, serverID: "s")
        let writer = try StoreWriter(opening: path, serverID: "s")
        let blob = try writer.stageBlob(Self.body)
        let states = Self.keys.map { NewState(key: $0, fields: ["type": "x"], blobs: [blob]) }
        try writer.append(
            StoreTransaction(account: account, time: 1, change: 1, states: states, marks: [Mark(reason: "r", time: 1)]))
        try writer.commit()
        try writer.close()
    }

    private func write(_ path: FilePath, _ files: PosixFileSystem) throws {
        let writer = try Writer(opening: path, serverID: "s", files: files)
        defer { writer.abandon() }
        let blob = try writer.stageBlob(Self.body)
        let states = Self.keys.map { NewState(key: $0, fields: ["type": "y"], blobs: [blob]) }
        try writer.append(StoreTransaction(account: account, time: 2, change: 2, states: states))
        try writer.commit()
        try writer.rebuildIndex()
        try writer.checkpoint()
    }

    private func read(_ path: FilePath, _ files: PosixFileSystem) throws {
        let reader = try FileStoreReader(opening: path, files: files)
        defer { reader.close() }
        for key in Self.keys {
            for line in try reader.history(of: key).lines { for blob in line.blobs { _ = try reader.blobBytes(blob) } }
        }
    }

    private func check(_ path: FilePath, _ files: PosixFileSystem) throws {
        let report = try FileStoreCheck(of: path, temporaryFolder: folder.path, files: files).run()
        guard let finding = report.findings.first(where: { $0.kind == .unreadable }) else { return }
        throw StoreError(.symbolicLink, doing: "checking", subject: "\(finding)")
    }

    /// The code of the error; nil where there is none.
    private func code(_ body: () throws -> Void) throws -> StoreError.Code? {
        do { try body() } catch let error as StoreError { return error.code }
        return nil
    }

    /// Names below a folder, folders before what is in them.
    private func names(_ place: FilePath, _ prefix: String = "") throws -> [String] {
        try PosixFileSystem().list(place).sorted { $0.name < $1.name }.flatMap { entry in
            let name = prefix + entry.name
            return [name] + (entry.isFolder ? try names(place.appending(entry.name), name + "/") : [])
        }
    }

    /// What lies outside, byte by byte.
    private func contents() throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for name in try names(outside) {
            let place = outside.appending(name)
            let isFolder = try PosixFileSystem().status(place)!.isFolder
            found[name] = isFolder ? [] : try PosixFileSystem().readSmallFile(place)!
        }
        return found
    }

    private func link(_ place: FilePath, to target: FilePath) throws {
        guard symlink(target.string, place.string) == 0 else { throw Errno(rawValue: errno) }
    }

    @Test("In place of any file or folder a link is refused by name; what it leads to is neither read nor written",
        arguments: [true, false])
    func everyKind(asksKernel: Bool) throws {
        let first = folder.appending("first")
        try make(first)
        try write(first, files(first, asksKernel))
        let kinds = try names(first).count
        #expect(kinds > 30)
        try PosixFileSystem().makeFolder(outside)
        for number in 0..<kinds {
            let path = folder.appending("backup-\(number)")
            try make(path)
            try write(path, files(path, asksKernel))
            let name = try names(path)[number]
            // The real one, so that whoever followed the link would find nothing wrong.
            let moved = outside.appending("moved-\(number)")
            try PosixFileSystem().rename(path.appending(name), to: moved)
            try link(path.appending(name), to: moved)
            let before = try contents()

            let reading = try code { try read(path, files(path, asksKernel)) }
            let checking = try code { try check(path, files(path, asksKernel)) }
            let writing = try code { try write(path, files(path, asksKernel)) }

            #expect(try contents() == before, "\(name)")
            let codes = [reading, checking, writing].compactMap { $0 }
            #expect(codes.allSatisfy { $0 == .symbolicLink }, "\(name): \(codes)")
            let isUsed = !["server", "quarantine"].contains(name) && !name.hasPrefix("index/index.sqlite-")
            #expect(!isUsed || !codes.isEmpty, "\(name)")
            if name.hasPrefix("items/") || name.hasPrefix("accounts/\(account)/items") { #expect(reading == .symbolicLink, "\(name)") }
        }
    }

    @Test("The error says what to do")
    func remedy() throws {
        let path = folder.appending("backup")
        try make(path)
        try PosixFileSystem().rename(path.appending("journal/lock"), to: folder.appending("lock"))
        try link(path.appending("journal/lock"), to: folder.appending("lock"))
        let error = try #require(throws: StoreError.self) { try StoreWriter(opening: path, serverID: "s") }
        #expect("\(error)".contains(path.string) && "\(error)".contains("find PATH -type l lists those that are there"))
    }

    @Test("Where an unfinished file would be made, a link is refused or removed", arguments: [true, false])
    func temporaryNames(asksKernel: Bool) throws {
        let path = folder.appending("backup")
        try PosixFileSystem().makeFolder(outside)
        let victim = outside.appending("victim")
        for name in ["items/.tmp-1", "journal/.tmp-checkpoint-2", "accounts/\(account)/.tmp-account_stat-2"] {
            FolderTree.remove(path)
            try make(path)
            let writer = try Writer(opening: path, serverID: "s", files: files(path, asksKernel))
            try link(path.appending(name), to: victim)
            #expect(throws: StoreError.self, "\(name)") {
                _ = try writer.stageBlob([1, 2, 3])
                try writer.append(message(257, time: 2, change: 2))
                try writer.commit()
                try writer.checkpoint()
            }
            writer.abandon()
            #expect(try contents().isEmpty, "\(name)")
            try write(path, files(path, asksKernel))
            #expect(try !names(path).contains(name))
        }
        try link(path.appending(".tmp-case"), to: victim)
        #expect(try code { try write(path, files(path, asksKernel)) } == .symbolicLink)
        #expect(try contents().isEmpty)
    }

    @Test("SQLite's other files: a link in their place is not followed", arguments: ["-wal", "-shm", "-journal"])
    func indexFiles(suffix: String) throws {
        let path = folder.appending("backup")
        try make(path)
        try PosixFileSystem().makeFolder(outside)
        let victim = try PosixFileSystem().open(outside.appending("victim"), .createNew)
        try Array("mine".utf8).withUnsafeBytes { try victim.write($0, at: 0) }
        victim.close()
        try link(path.appending("index/index.sqlite" + suffix), to: outside.appending("victim"))
        try read(path, PosixFileSystem(below: path))
        try write(path, PosixFileSystem(below: path))
        #expect(try contents() == ["victim": Array("mine".utf8)])
    }

    @Test("The backup path itself may be reached through links")
    func linkedRoot() throws {
        try PosixFileSystem().makeFolder(folder.appending("disk"))
        try link(folder.appending("srv"), to: folder.appending("disk"))
        let path = folder.appending("srv/backup")
        try make(path)
        for asksKernel in [true, false] {
            try write(path, files(path, asksKernel))
            try read(path, files(path, asksKernel))
            try check(path, files(path, asksKernel))
        }
    }

    @Test("A name with .. is refused, wherever it comes from", arguments: [true, false])
    func dots(asksKernel: Bool) throws {
        let path = folder.appending("backup")
        try make(path)
        try PosixFileSystem().open(folder.appending("account_info"), .createNew).close()
        let reader = try FileStoreReader(opening: path, files: files(path, asksKernel))
        defer { reader.close() }
        // As an index that somebody else wrote could name it.
        let error = #expect(throws: StoreError.self) { try reader.history(of: .accountInfo("../..")) }
        #expect(error?.cause as? Errno == Errno(rawValue: EXDEV))
        for name in ["../x", "accounts/../../x", "accounts/.."] {
            #expect(throws: Errno(rawValue: EXDEV)) { try files(path, asksKernel).open(FilePath(path.string + "/" + name), .createNew) }
        }
        #expect(try !names(folder.path).contains("x"))
    }

    @Test("A pipe in a file's place is an error, and nobody waits for it")
    func pipe() throws {
        let path = folder.appending("backup")
        try make(path)
        let place = BackupPath(path).history(Self.keys[0])
        try PosixFileSystem().remove(place)
        #expect(mkfifo(place.string, 0o600) == 0)
        let reader = try StoreReader(opening: path)
        defer { reader.close() }
        #expect(throws: StoreError.self) { try reader.history(of: Self.keys[0]) }
    }

    @Test("A journal's names that could lead elsewhere are refused, whatever its checksums say",
        arguments: ["..", "../x", "/etc/x", "", ".x", "a/b", "a\u{0}b"])
    func journal(name: String) {
        for key in [HistoryKey.item(account: name, id: 1), .accountInfo(name), .mailbox(name), .directory(.domains, name)] {
            var bytes: [UInt8] = []
            JournalRecord.append(key: key, to: &bytes)
            bytes.withUnsafeBytes { bytes in
                var cursor = ByteCursor(bytes: bytes)
                #expect(throws: ByteCursor.OutOfBounds.self) { try JournalRecord.key(&cursor) }
            }
            #expect(BlobID(name) == nil && SegmentName(name) == nil)
        }
    }
}
