import Foundation
import SystemPackage
import Testing

@testable import BackupCore
@testable import SandboxServer

/// Files of a server's volume, as servers and their crashes leave them.
@Suite("A blob file of a mail server")
struct StoredBlobTests {
    private let text = [UInt8](String(repeating: "To be read. ", count: 500).utf8)

    /// Reads item 300 of a folder that holds these files.
    private func read(
        _ files: [String: [UInt8]], size: Int? = nil, digest: String? = nil, prepare: (FilePath) throws -> Void = { _ in }
    ) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: folder.path.appending(name).string)) }
        try prepare(folder.path)
        let location = BlobLocation(
            mailboxID: 3, itemID: 300, modContent: 7, locator: "1", size: Int64(size ?? text.count),
            digest: digest ?? ServerDigest.sha256(text))
        let reader = try StoredBlob(location, at: folder.path.appending("300-7.msg")).open()
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1000)
        while case let count = try buffer.withUnsafeMutableBytes({ try reader($0) }), count > 0 { result += buffer[..<count] }
        return result
    }

    private func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let (source, target) = (folder.path.appending("plain"), folder.path.appending("packed"))
        try Data(bytes).write(to: URL(fileURLWithPath: source.string))
        let file = try FileDescriptor.open(target, .writeOnly, options: [.create], permissions: [.ownerReadWrite])
        try file.closeAfter { try GzipFile.compress(source, to: file.rawValue, target) }
        return try Files.read(target)
    }

    private func code(_ body: () throws -> [UInt8]) -> String? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? CoreError)?.code.name ?? "\(error)"
        }
    }

    @Test("Plain and gzip are told apart by the row's size, and in doubt by its digest")
    func forms() throws {
        let packed = try gzip(text)
        #expect(try read(["300-7.msg": text]) == text)
        #expect(try read(["300-7.msg": packed]) == text)
        // A stored archive is content.
        #expect(try read(["300-7.msg": packed], size: packed.count, digest: ServerDigest.sha256(packed)) == packed)
        // An archive of an archive, and one whose file is as long as the row says although it is compressed.
        #expect(try read(["300-7.msg": gzip(packed)], size: packed.count, digest: ServerDigest.sha256(packed)) == packed)
        let noise = (0..<100).map { _ in UInt8.random(in: 1...255) }
        let same = try gzip(noise)
        let padded = noise + [UInt8](repeating: 0, count: max(0, same.count - noise.count))
        #expect(try read(["300-7.msg": gzip(padded)], size: padded.count, digest: ServerDigest.sha256(padded)) == padded)
        #expect(try read(["300-7.msg": []], size: 0, digest: ServerDigest.sha256([])) == [])
        // Rows from before 8.0 have SHA-1.
        #expect(try read(["300-7.msg": packed], digest: ServerDigest.sha1(text)) == text)
        // Without a digest the size decides.
        #expect(try read(["300-7.msg": text + [1]]) == text + [1], "whoever reads it compares the digest")
    }

    @Test("A missing file is found under the names that crashes and old servers give it, and only if it is the one")
    func otherNames() throws {
        #expect(try read(["300-7.msg.bak": text]) == text)
        #expect(try read(["300-7.msg.bak": gzip(text)]) == text)
        #expect(try read(["300.msg": text]) == text)
        #expect(code { try read(["300-7.msg.bak": Array("another".utf8)]) } == "blobMissing")
        #expect(code { try read(["300-7.msg.bak": text.reversed()]) } == "blobMissing")
        #expect(code { try read([:]) } == "blobMissing")
    }

    @Test("A torn, bent or bursting gzip file is damage, not a short content")
    func damage() throws {
        let packed = try gzip(text)
        #expect(code { try read(["300-7.msg": Array(packed.dropLast(5))]) } == "blobDamaged")
        #expect(code { try read(["300-7.msg": Array(packed.prefix(packed.count / 2))]) } == "blobDamaged")
        var bent = packed
        bent[bent.count / 2] ^= 0xFF
        #expect(code { try read(["300-7.msg": bent]) } == "blobDamaged")
        let bomb = try gzip([UInt8](repeating: 0, count: 10_000_000))
        #expect(code { try read(["300-7.msg": bomb], size: 100) } == "blobDamaged")
    }

    @Test("What is no file of the volume is not read", arguments: ["link", "pipe", "folder"])
    func noFile(kind: String) throws {
        let found = code {
            try read(["elsewhere": text]) { folder in
                let place = folder.appending("300-7.msg").string
                switch kind {
                case "link": try #require(symlink(folder.appending("elsewhere").string, place) == 0)
                case "pipe": try #require(mkfifo(place, 0o600) == 0)
                default: try #require(mkdir(place, 0o700) == 0)
                }
            }
        }
        #expect(found == (kind == "link" ? "serverUnreadable" : "blobDamaged"))
    }
}
