import BackupStoreTesting
import Foundation
import SystemPackage
import Testing

@testable import BackupStore

/// `Tests/Fixtures/broken` holds a path for each kind of damage, and in `expected.json` what opening, checking, reading and
/// following make of it. With `ZXBACKUP_RECORD_BROKEN=1` both are made anew: look at the difference before committing it.
@Suite("Backup paths with one kind of damage each", .serialized)
struct BrokenPathTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/broken")
    private static let isRecording = ProcessInfo.processInfo.environment["ZXBACKUP_RECORD_BROKEN"] == "1"

    @Test("With the variable set, fixtures and expectations are made anew", .enabled(if: isRecording))
    func recorded() throws { try record() }

    @Test("Open, check, read and follow do with each what is expected of them")
    func expectations() throws {
        let text = try String(contentsOf: Self.folder.appendingPathComponent("expected.json"), encoding: .utf8)
        let expected = try #require(try JSONValue(json: text).object)
        #expect(Set(expected.members.map(\.name)) == Set(BrokenPaths.all.map(\.name)))
        for kind in BrokenPaths.all {
            let outcome = try outcome(of: try kept(kind.name))
            #expect(.object(outcome) == expected[kind.name], "\(kind.name): \(outcome.json)")
        }
    }

    @Test("No damaged path is called sound, none where nothing is lost damaged")
    func verdicts() throws {
        let lossless: Set = [
            "sound", "sound-after-crash", "orphan-blob", "torn-line", "index-of-another-time", "editors-files",
            "names-that-differ-in-case",
        ]
        for kind in BrokenPaths.all {
            let check = try check(StoreOnDisk(of: try kept(kind.name), asCopy: false))
            #expect((check["damaged"]?.bool ?? true) == !lossless.contains(kind.name), "\(kind.name): \(check.json)")
        }
    }

    // MARK: What is done with a path

    private func outcome(of files: [String: [UInt8]]) throws -> JSONObject {
        [
            "check": .object(try check(StoreOnDisk(of: files, asCopy: false))),
            "checkOfCopy": .object(try check(StoreOnDisk(of: files, asCopy: true))),
            "read": .object(try read(StoreOnDisk(of: files, asCopy: false))),
            "follow": .object(try follow(StoreOnDisk(of: files, asCopy: false))),
        ]
    }

    private func refusing(_ body: () throws -> JSONObject) rethrows -> JSONObject {
        do { return try body() } catch let error as StoreError { return ["refused": .string("\(error.code)")] }
    }

    private func check(_ store: StoreOnDisk) throws -> JSONObject {
        try refusing {
            let report = try FileStoreCheck(of: store.path, temporaryFolder: store.folder.path, files: store.disk).run()
            let findings = report.findings.map { "\($0.severity) \($0.kind) \($0.file)" }.sorted()
            return ["damaged": .bool(report.isDamaged), "findings": .array(findings.map { .string($0) })]
        }
    }

    /// What a restore can read: states, contents, and what it is told of.
    private func read(_ store: StoreOnDisk) throws -> JSONObject {
        try refusing {
            let reader = try FileStoreReader(opening: store.path, temporaryFolder: store.folder.path, files: store.disk)
            defer { reader.close() }
            var members: JSONObject = ["last": .int(Int64(try reader.info().lastSequence))]
            members["told"] = .array(reader.recovery.findings.map { .string("\($0.finding) \($0.file)") })
            for id in Int64(257)...260 {
                let history = try reader.history(of: .item(account: account, id: id))
                let contents = try history.lines.flatMap(\.blobs).map { blob -> String in
                    do { return try reader.blobBytes(blob.id).isEmpty ? "empty" : "content" } catch let error as StoreError { return "\(error.code)" }
                }
                var item: JSONObject = ["states": .array(history.lines.map { .int(Int64($0.sequence)) })]
                item["latest"] = try reader.item(account, id).map { .int(Int64($0.sequence)) }
                item["contents"] = .array(contents.map { .string($0) })
                item["damage"] = .array(history.damage.map { .string($0.finding.rawValue) })
                members["item \(id)"] = .object(item)
            }
            return members
        }
    }

    /// A writer opens the path, commits a state, and leaves it to a check.
    private func follow(_ store: StoreOnDisk) throws -> JSONObject {
        try refusing {
            let writer = try store.open()
            let told = writer.recovery.findings.map { "\($0.finding) \($0.file)" }
            let blob = try writer.stageBlob(Array("Subject: next\r\n\r\nletter".utf8))
            let sequence = try writer.append(message(257, folder: 9, time: 9000, change: 9, blob: blob, position: "position 9"))
            try writer.commit()
            try writer.close()
            return [
                "told": .array(told.map { .string($0) }), "next": .int(Int64(sequence)),
                "checkAfterwards": .object(try check(store)),
            ]
        }
    }

    // MARK: Fixtures

    private func kept(_ name: String) throws -> [String: [UInt8]] {
        let root = Self.folder.appendingPathComponent(name)
        var files: [String: [UInt8]] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: root.path) {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path, isDirectory: &isFolder), !isFolder.boolValue
            else { continue }
            files[path] = Array(try Data(contentsOf: root.appendingPathComponent(path)))
        }
        return files
    }

    private func record() throws {
        try? FileManager.default.removeItem(at: Self.folder)
        var expected = JSONObject()
        for kind in BrokenPaths.all {
            let store = try BrokenPaths.made(isCrashed: kind.isCrashed)
            try kind.damage(store)
            var files = store.disk.contents()
            files["journal/lock"] = []  // It names a host.
            if kind.hasIndex { files["index/index.sqlite"] = try smallIndex(store) }
            for (name, bytes) in files {
                let file = Self.folder.appendingPathComponent("\(kind.name)/\(name)")
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(bytes).write(to: file)
            }
            expected.members.append(.init(name: kind.name, value: .object(try outcome(of: files))))
        }
        let text = "{\n" + expected.members.map { "\(JSONValue.string($0.name).json): \($0.value.json)" }.joined(separator: ",\n") + "\n}\n"
        try Data(text.utf8).write(to: Self.folder.appendingPathComponent("expected.json"))
    }

    /// The index in as few bytes as SQLite needs.
    private func smallIndex(_ store: StoreOnDisk) throws -> [UInt8] {
        let file = store.path.appending("index/index.sqlite")
        let index = try StoreIndex(writing: file)
        try index.use("test") { try $0.database.execute(sql: "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM") }
        index.close()
        return Array(try Data(contentsOf: URL(fileURLWithPath: file.string)))
    }
}
