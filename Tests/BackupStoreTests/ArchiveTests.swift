import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Archives of the server's own files")
struct ArchiveTests {
    private static let name = "customizations_27_11_26#04_00_00.tar.gz"
    private static let content = [UInt8]("conf/localconfig.xml ".utf8) + (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

    private typealias Writer = FileStoreWriter<SimulatedFileSystem>

    @discardableResult
    private func keep(
        _ writer: Writer, _ name: String = name, kind: ServerArchive.Kind = .customizations, time: Int64 = 1000, _ bytes: [UInt8] = content
    ) throws -> ServerArchive {
        try writer.keepArchive(kind, named: name, at: time) { write in
            // In pieces of odd sizes.
            for start in stride(from: 0, to: bytes.count, by: 70_001) {
                try bytes[start..<min(start + 70_001, bytes.count)].withUnsafeBytes { try write($0) }
            }
        }
    }

    private func findings(_ store: StoreOnDisk) throws -> [CheckFinding] {
        try FileStoreCheck(of: store.path, files: store.disk).run().findings
    }

    @Test("An archive is one gzip member in server/, and its history says what is in it")
    func kept() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let archive = try keep(writer)
        #expect(archive.content.size == Int64(Self.content.count) && archive.kind == .customizations)
        #expect(try writer.archives() == [archive])
        try writer.close()
        #expect(store.files("server/") == ["server/" + Self.name])
        let bytes = try #require(store.disk.contents()["server/" + Self.name])
        #expect(Int64(bytes.count) == archive.content.stored)
        let file = store.folder.appending("copy.gz")
        let descriptor = try FileDescriptor.open(file, .writeOnly, options: .create, permissions: .ownerReadWrite)
        try descriptor.closeAfter { _ = try descriptor.writeAll(bytes) }
        var unpacked: [UInt8] = []
        try GzipFile.read(file) { unpacked.append(contentsOf: $0) }
        #expect(unpacked == Self.content)
        let reader = try store.reader()
        defer { reader.close() }
        #expect(try reader.archives() == [archive])
        #expect(try findings(store).isEmpty)
    }

    @Test("A name that is in use, and one that can be none, is refused; what fails half-way leaves nothing")
    func refused() throws {
        struct Broken: Error {}
        let store = try StoreOnDisk()
        let writer = try store.open()
        try keep(writer)
        for name in [Self.name, "", "../x", "a/b", ".tmp-x", "x\n"] {
            let error = #expect(throws: StoreError.self) { try keep(writer, name) }
            #expect(error?.code == .invalidInput, "\(name)")
        }
        #expect(throws: Broken.self) {
            try writer.keepArchive(.directory, named: "ldap_dump_1", at: 1) { write in
                try Self.content.withUnsafeBytes { try write($0) }
                throw Broken()
            }
        }
        #expect(store.files("server/") == ["server/" + Self.name])
        #expect(try writer.archives().count == 1)
        try keep(writer, "ldap_dump_1", kind: .directory, [])
        #expect(try writer.archives().map(\.name) == ["customizations_27_11_26#04_00_00.tar.gz", "ldap_dump_1"])
        try writer.close()
        #expect(try findings(store).isEmpty)
    }

    @Test("The check finds an archive that is damaged, cut, emptied or gone, and a file that is none")
    func checked() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try keep(writer)
        try writer.close()
        let name = "server/" + Self.name
        let whole = try #require(store.disk.contents()[name])
        for place in [0, 9, whole.count / 2, whole.count - 1] {
            var bytes = whole
            bytes[place] ^= 0x55
            store.disk.place(name, bytes)
            let found = try findings(store)
            // The header's bytes for time and system say nothing of the content.
            #expect(found.map(\.kind) == [.archiveDamaged] || place == 9, "\(place): \(found)")
        }
        for bytes in [[], Array(whole.dropLast()), whole + [0], Self.content] {
            store.disk.place(name, bytes)
            #expect(try findings(store).map(\.kind) == [.archiveDamaged])
        }
        store.disk.vanish(name)
        #expect(try findings(store).map(\.kind) == [.archiveMissing])
        store.disk.place(name, whole)
        store.disk.place("server/notes.txt", [1])
        let notes = try findings(store)
        #expect(notes.map(\.kind) == [.unexpectedFile] && notes[0].severity == .note)
    }

    @Test("Old archives go, the last of each kind stays, and nobody else's file is touched")
    func removed() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for day in 1...3 {
            try keep(writer, "customizations_0\(day)", time: Int64(day))
            try keep(writer, "ldap_dump_0\(day)", kind: .directory, time: Int64(day))
        }
        let last = try keep(writer, "customizations_04", time: 4)
        store.disk.place("server/readme", [1])
        store.disk.place("server/customizations_99", [1])  // Of a purge that was killed.
        #expect(try writer.removeArchives(before: 0).isEmpty)
        let gone = try writer.removeArchives(before: writer.lastSequence)
        #expect(gone.map(\.name).sorted() == ["customizations_01", "customizations_02", "customizations_03", "ldap_dump_01", "ldap_dump_02"])
        #expect(try writer.archives().map(\.name) == ["ldap_dump_03", "customizations_04"])
        #expect(store.files("server/") == ["server/customizations_04", "server/ldap_dump_03", "server/readme"])
        try writer.rebuildIndex()
        #expect(try writer.archives().last == last)
        try writer.close()
        store.removeIndex()
        let again = try store.open()
        #expect(try again.archives().map(\.name) == ["ldap_dump_03", "customizations_04"])
        #expect(try again.removeArchives(before: .max).isEmpty)
        try again.close()
    }

    @Test("R1, R2, R3: a crash at any call of keeping and removing leaves each archive whole, or none", arguments: [true, false])
    func crashes(reliableSyncfs: Bool) throws {
        for call in 1... {
            let store = try StoreOnDisk(reliableSyncfs: reliableSyncfs)
            let writer = try store.open()
            let first = try keep(writer, "customizations_01", [1, 2, 3])
            var second: ServerArchive?
            var isRemoved = false
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: nil, tornBytes: call % 50)]
            do {
                second = try keep(writer, "customizations_02", Array(Self.content.prefix(5000)))
                isRemoved = try writer.removeArchives(before: .max) == [first]
                try writer.close()
            } catch where store.disk.isDead {}  // The power failed.
            guard store.disk.isDead else {
                #expect(isRemoved)
                return
            }
            store.crash(writer, .random(seed: UInt64(call)))
            let again = try store.open()
            let archives = try again.archives()
            // What was said to be kept is there, and what was said to be removed is not.
            if let second { #expect(archives.contains(second), "call \(call)") } else { #expect(archives.contains(first), "call \(call)") }
            if isRemoved { #expect(!archives.contains(first), "call \(call)") }
            let damages = try findings(store).filter { $0.severity == .damage }
            #expect(damages.isEmpty, "call \(call): \(damages)")
            _ = try again.removeArchives(before: 0)
            #expect(Set(store.files("server/")) == Set(archives.map { "server/" + $0.name }), "call \(call)")
            try again.close()
        }
    }
}
