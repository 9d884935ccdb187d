import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

/// Bad input: a clear error each, and nothing lost. Which test stands for which line:
///
/// | line | test |
/// |---|---|
/// | no such path; no backup path | `noSuchPath`, `noBackupPath` here |
/// | another server's; a newer format; a second writer | `otherServer`, `newerFormat`, `secondWriter` here |
/// | read-only; full; out of inodes | `readOnly`, `full`, `outOfInodes` here |
/// | a case-insensitive file system | `OpeningTests.caseInsensitive` |
/// | a redo log damaged, cut | `BadInputLogTests` `garbage`, `damagedHeader`, `cutTail`, `truncated` |
/// | a redo log empty, foreign | `BadInputLogTests` `empty`, `noArchive`, `foreign`, `foreignWhileFollowing` |
/// | missing from the series; starting after the position | `BadInputLogTests` `missing`, `startsLater` |
/// | a blob missing or rotten at restore | `BadInputStoreTests.blobs` |
/// | a history line torn, flipped, missing | `BadInputStoreTests` `lines`, `wholeHistory` |
/// | a mailbox without account | `BadInputAccountTests.orphan` |
/// | two accounts of one name | `BadInputAccountTests.namesakes`, `BadInputCommandTests.sameName` |
/// | unknown account, item, date, command, parameter | `BadInputCommandTests` `unknownAccount`, `unknownItem`, `notUnderstood` |
/// | a date before the first scan | `BadInputCommandTests.beforeFirstScan` |
/// | a date in the future | `BadInputCommandTests.future`, `BadInputAccountTests.future` |
/// | a date in the hour that occurs twice | `BadInputCommandTests.hourTwice` |
/// | names | `BadInputContentTests` `backedUp`, `restored`, `exported`; `BadInputCommandTests.terminal` |
/// | messages of 0 bytes, of 100 MB, with broken MIME | `BadInputContentTests` `brokenMessages`, `largeMessage` |
/// | a destination that exists | `BadInputTargetTests` `existingAccount`, `existingFolder` |
/// | a target that stops in the middle | `BadInputTargetTests.stops`, `RestoringFaultTests.killed`, `ExportingTests.fullDisk` |
@Suite("Bad input: backup paths, as an administrator meets them")
struct BadInputPathTests {
    /// A server with Bob's mailbox and a message in it, backed up.
    private func workplace(on options: String? = nil) throws -> (place: Workplace, disk: SmallDisk?, first: Int64) {
        let place = try Workplace()
        let disk = try options.map { try SmallDisk(on: FilePath(place.backup), $0) }
        _ = try place.server.createAccount(name: "bob@example.com")
        let first = try deliver(place, "first")
        // Small disks have less room than the service keeps free.
        if disk != nil { #expect(place.zx("setProperty", "ZxBackup_SpaceThreshold", "0").status == .successful) }
        #expect(place.zx("init").status == .successful)
        let served = place.zx("serve", "--once")
        #expect(served.status == .successful, "\(served.errors)")
        return (place, disk, first)
    }

    private func deliver(_ place: Workplace, _ subject: String, body: String = "Hello") throws -> Int64 {
        try place.server.deliver(Workplace.message(subject, body), to: ["bob@example.com"])[0].itemID
    }

    /// Catches up, and finds every message with its content.
    private func completes(_ place: Workplace, _ items: [Int64: String]) throws {
        let served = place.zx("serve", "--once")
        #expect(served.status == .successful, "\(served.errors)")
        for (item, subject) in items {
            let found = place.zx("getItem", "bob@example.com", "\(item)", "dump_blob", "true")
            #expect(found.status == .successful && found.text.contains("Subject: \(subject)\r\n"), "\(found.errors)")
        }
        let rebuilt = place.zx("rebuildIndex")
        #expect(rebuilt.status == .successful && rebuilt.errors.isEmpty, "\(rebuilt.errors)")
    }

    /// Every file of a folder with its bytes.
    private func contents(_ path: String) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
            contents[name] = FileManager.default.contents(atPath: path + "/" + name)
        }
        return contents
    }

    private static let reading = [
        ["getAvailableAccounts"], ["getItem", "bob@example.com", "257"], ["getAccountInfo", "bob@example.com"],
        ["doExportMailbox", "bob@example.com", "OUT"], ["doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "last"],
        ["doUndelete", "bob@example.com", "first", "last"], ["doItemRestore", "bob@example.com", "257"],
        ["doRestoreDeletedAccount", "bob@example.com", "bob2@example.com"],
    ]
    private static let writing = [["serve", "--once"], ["rebuildIndex"]]

    /// Runs each command on a path; returns what each said, having checked that it failed.
    private func refusals(_ commands: [[String]], on path: String, _ place: Workplace) -> [String] {
        commands.map { words in
            let words = words.map { $0 == "OUT" ? place.folder.appending("out").string : $0 }
            let result = run(["--config", place.config, "--backup-path", path] + words)
            #expect(result.status == .failed && result.text.isEmpty, "\(words): \(result.text)")
            return result.errors
        }
    }

    @Test("A backup path that is one name lies in the folder that the command is given in")
    func nameAlone() throws {
        let place = try Workplace()
        let result = try BuiltProgram.run(
            ["--config", place.config, "--backup-path", "alone", "init"], in: place.folder.string)
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        #expect(FileManager.default.fileExists(atPath: place.folder.appending("alone/zxbackup.json").string))
    }

    @Test("No such path: every command says so, and none makes anything")
    func noSuchPath() throws {
        let (place, _, first) = try workplace()
        let before = try FileManager.default.contentsOfDirectory(atPath: place.folder.string).sorted()
        let none = place.folder.appending("none/here").string
        for error in refusals(Self.reading + Self.writing, on: none, place) {
            #expect(error.contains("\(none) does not exist") && error.contains("Check the path"), "\(error)")
        }
        let made = run(["--config", place.config, "--backup-path", none, "init"])
        #expect(made.status == .failed && made.errors.contains(none) && made.errors.contains("the folders above it exist"),
            "\(made.errors)")
        let noConfig = run(["--config", none + ".yaml", "getAvailableAccounts"])
        #expect(noConfig.status == .failed && noConfig.errors.contains("configuration \(none).yaml"), "\(noConfig.errors)")
        // That an operation failed is in the log of the state folder.
        let after = try FileManager.default.contentsOfDirectory(atPath: place.folder.string).filter { $0 != "state" }
        #expect(after.sorted() == before.filter { $0 != "state" })
        #expect(try place.server.findAccount("bob2@example.com") == nil)
        try completes(place, [first: "first"])
    }

    @Test("A folder that is no backup path, a file, a damaged identity: refused, and left as they were")
    func noBackupPath() throws {
        let (place, _, first) = try workplace()
        let folder = place.folder.appending("folder").string
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: folder + "/notes.txt"))
        for path in [folder, folder + "/notes.txt"] {
            for error in refusals(Self.reading + Self.writing, on: path, place) {
                #expect(error.contains("\(path) has no zxbackup.json") && error.contains("zxbackup init"), "\(error)")
            }
            let made = run(["--config", place.config, "--backup-path", path, "init"])
            #expect(made.status == .failed && made.errors.contains(path), "\(made.errors)")
        }
        #expect(try contents(folder) == ["notes.txt": Data("mine".utf8)])

        let identity = URL(fileURLWithPath: place.backup + "/zxbackup.json")
        let whole = try Data(contentsOf: identity)
        try Data(whole.dropLast(20)).write(to: identity)
        for error in refusals(Self.reading + Self.writing, on: place.backup, place) {
            #expect(error.contains("zxbackup.json") && error.contains("from a copy"), "\(error)")
        }
        try whole.write(to: identity)
        try completes(place, [first: "first"])
    }

    @Test("R8: another server's path is read, never written")
    func otherServer() throws {
        let (place, _, first) = try workplace()
        _ = try SandboxServer.create(at: place.folder.appending("other"), name: "other.example.com")
        let config = place.folder.appending("other.yaml").string
        try Data("server: {kind: sandbox, path: other}\nbackupPath: backup\nstateFolder: state\n".utf8)
            .write(to: URL(fileURLWithPath: config))
        let before = try contents(place.backup)
        for words in Self.writing {
            let result = run(["--config", config] + words)
            #expect(result.status == .failed, "\(words)")
            #expect(result.errors.contains("belongs to server \(place.server.identity.id)"), "\(result.errors)")
            #expect(result.errors.contains("use a backup path of this server"), "\(result.errors)")
        }
        #expect(run(["--config", config, "init"]).status == .failed)
        #expect(try contents(place.backup) == before)
        #expect(run(["--config", config, "getItem", "bob@example.com", "\(first)"]).status == .successful)
        try completes(place, [first: "first", try deliver(place, "second"): "second"])
    }

    @Test("A path of a newer format is refused by readers and writers, and left as it was")
    func newerFormat() throws {
        let (place, _, first) = try workplace()
        let identity = URL(fileURLWithPath: place.backup + "/zxbackup.json")
        let whole = try Data(contentsOf: identity)
        let newer = String(decoding: whole, as: UTF8.self).replacingOccurrences(of: #""format":1"#, with: #""format":2"#)
        try Data(newer.utf8).write(to: identity)
        let before = try contents(place.backup)
        for error in refusals(Self.reading + Self.writing, on: place.backup, place) {
            #expect(error.contains("has format 2") && error.contains("use a newer one"), "\(error)")
        }
        #expect(try contents(place.backup) == before)
        try whole.write(to: identity)
        try completes(place, [first: "first"])
    }

    @Test("R8: a second writer is refused by the first one's pid, readers are not, and nothing of the mail is lost")
    func secondWriter() throws {
        let (place, _, first) = try workplace()
        let writer = try StoreWriter(opening: FilePath(place.backup), serverID: place.server.identity.id)
        let second = try deliver(place, "second")
        for error in refusals(Self.writing, on: place.backup, place) {
            #expect(error.contains("Another writer holds the lock") && error.contains("pid \(getpid())"), "\(error)")
        }
        #expect(place.zx("getItem", "bob@example.com", "\(first)").status == .successful)
        try writer.close()
        try completes(place, [first: "first", second: "second"])
    }

    @Test("Read-only: commands that read work, those that write say what to do, and go on later",
        .enabled(if: SmallDisk.canMount, "no file system can be mounted here"))
    func readOnly() throws {
        let (place, disk, first) = try workplace(on: "size=16m")
        let second = try deliver(place, "second")
        try disk?.remount("ro")
        for error in refusals(Self.writing, on: place.backup, place) {
            #expect(error.contains(place.backup) && error.contains("Read-only file system") && error.contains("mount"),
                "\(error)")
        }
        #expect(place.zx("getItem", "bob@example.com", "\(first)", "dump_blob", "true").text.contains("Subject: first"))
        #expect(place.zx("getAvailableAccounts").status == .successful)
        let export = place.zx("doExportMailbox", "bob@example.com", place.folder.appending("out").string)
        #expect(export.status == .successful && export.text.contains("Exported Items: 1\n"), "\(export.errors)")
        try disk?.remount("rw")
        try completes(place, [first: "first", second: "second"])
    }

    @Test("Full: serve ends and says what to do; with room again it goes on, and nothing is missing",
        .enabled(if: SmallDisk.canMount, "no file system can be mounted here"))
    func full() throws {
        let (place, disk, first) = try workplace(on: "size=3m")
        let noise = try #require(FileHandle(forReadingAtPath: "/dev/urandom")).readData(ofLength: 3_500_000).base64EncodedString()
        let items = [first: "first", try deliver(place, "large", body: noise): "large", try deliver(place, "after"): "after"]
        for _ in 0..<2 {
            let full = place.zx("serve", "--once")
            #expect(full.status == .failed && full.errors.contains(place.backup), "\(full.errors)")
            #expect(full.errors.contains("No space left on device") && full.errors.contains("Make room"), "\(full.errors)")
        }
        #expect(place.zx("getItem", "bob@example.com", "\(first)", "dump_blob", "true").text.contains("Subject: first"))
        try disk?.remount("size=64m")
        try completes(place, items)
    }

    @Test("Out of inodes: the same",
        .enabled(if: SmallDisk.canMount, "no file system can be mounted here"))
    func outOfInodes() throws {
        let (place, disk, first) = try workplace(on: "size=64m,nr_inodes=200")
        var items = [first: "first"]
        for number in 0..<100 { items[try deliver(place, "number \(number)")] = "number \(number)" }
        let full = place.zx("serve", "--once")
        #expect(full.status == .failed && full.errors.contains("its inodes"), "\(full.errors)")
        try disk?.remount("nr_inodes=100000")
        try completes(place, items)
    }
}
