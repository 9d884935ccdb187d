#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import SystemPackage

/// A source of bytes: fills the buffer as far as it can and returns the count; 0 at the end.
public typealias ByteSource = (UnsafeMutableRawBufferPointer) throws -> Int

/// Blobs of one backup path: staged (compressed, verified, in a temporary file), then published in batches before the
/// states that name them are committed (R1).
final class BlobStore<Files: FileSystem>: @unchecked Sendable {
    // Unchecked: `lock` guards everything that changes.

    struct Staged {
        var reference: BlobReference
        var temporary: FilePath?
        var pins: Int
    }

    let files: Files
    let path: BackupPath
    private var level: Int
    let batches: Bool
    /// Whether several threads stage.
    private let isShared = Files.self == PosixFileSystem.self
    private let lock = Lock()
    private var staged: [BlobID: Staged] = [:]
    private var knownFolders: Set<String> = []
    private var benches: [BlobWorkbench] = []
    private var nextTemporary: UInt64 = 0
    private var root: Files.File

    /// Blobs that end within this many bytes are hashed first and need no temporary file where they exist already.
    static var smallSize: Int { BlobWorkbench.pieceSize }

    init(files: Files, path: BackupPath, level: Int) throws {
        self.files = files
        self.path = path
        self.level = level
        batches = files.hasReliableSyncfs(path.blobs)
        // Opened before any write: syncfs reports only errors that came after the descriptor.
        root = try files.openFolder(path.blobs)
    }

    /// Compresses from now on at another level; blobs in the making keep theirs.
    func setLevel(_ new: Int) {
        lock.locked {
            level = new
            benches.removeAll { $0.level != new }
        }
    }

    private func takeBench() -> BlobWorkbench { lock.locked { benches.popLast() ?? BlobWorkbench(level: level) } }

    private func giveBack(_ bench: BlobWorkbench) {
        lock.locked { if bench.level == level { benches.append(bench) } }
    }

    /// Streams a blob in. `recorded` tells the stored length of the blob's verified commit, nil for one never committed.
    func stage(_ source: ByteSource, recorded: (BlobID) throws -> BlobReference?) throws -> BlobReference {
        let bench = takeBench()
        defer { giveBack(bench) }
        var count = 0
        while count < bench.input.count {
            let more = try source(UnsafeMutableRawBufferPointer(rebasing: bench.input[count...]))
            if more == 0 { break }
            count += more
        }
        if count < bench.input.count {
            return try stageSmall(UnsafeRawBufferPointer(rebasing: bench.input[..<count]), bench, recorded)
        }
        return try stageLarge(source, bench, recorded)
    }

    /// Stages bytes in memory.
    func stage(_ bytes: UnsafeRawBufferPointer, recorded: (BlobID) throws -> BlobReference?) throws -> BlobReference {
        if bytes.count >= Self.smallSize {
            var offset = 0
            return try stage(
                { buffer in
                    let count = min(buffer.count, bytes.count - offset)
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
                    offset += count
                    return count
                }, recorded: recorded)
        }
        let bench = takeBench()
        defer { giveBack(bench) }
        return try stageSmall(bytes, bench, recorded)
    }

    private func stageSmall(
        _ bytes: UnsafeRawBufferPointer, _ bench: BlobWorkbench, _ recorded: (BlobID) throws -> BlobReference?
    ) throws -> BlobReference {
        let id = BlobID(of: bytes)
        if let known = try pinKnown(id, recorded) { return known }
        bench.compressed.removeAll(keepingCapacity: true)
        bench.compressor.reset()
        try bench.compressor.run(bytes, last: true, buffer: bench.output) { bench.compressed.append(contentsOf: $0) }

        // The second implementation must give back the original, byte by byte.
        let count = bench.compressed.withUnsafeBytes { bench.wholeDecompressor.run($0, into: bench.output) }
        guard count == bytes.count, bytes.isEmpty || memcmp(bytes.baseAddress!, bench.output.baseAddress!, bytes.count) == 0 else {
            throw notVerified(id)
        }

        let temporary = temporaryPath()
        let file = try files.open(temporary, .createNew)
        defer { file.close() }
        do {
            try bench.compressed.withUnsafeBytes { try file.write($0, at: 0) }
            if !batches { try file.sync() }
        } catch {
            try? files.remove(temporary)  // The next writer removes what stays.
            throw error
        }
        return register(BlobReference(id: id, size: Int64(bytes.count), stored: Int64(bench.compressed.count)), temporary)
    }

    private func stageLarge(
        _ source: ByteSource, _ bench: BlobWorkbench, _ recorded: (BlobID) throws -> BlobReference?
    ) throws -> BlobReference {
        let temporary = temporaryPath()
        let file = try files.open(temporary, .createNew)
        defer { file.close() }
        do {
            var member = MemberWriter(file, bench)
            var filled = bench.input.count  // The first piece is there already.
            while filled > 0 {
                try member.add(UnsafeRawBufferPointer(rebasing: bench.input[..<filled]))
                filled = try source(bench.input)
            }
            let blob = try member.end()
            if let known = try pinKnown(blob.id, recorded) {
                try files.remove(temporary)
                return known
            }
            try verify(file, blob, bench)
            if !batches { try file.sync() }
            return register(blob, temporary)
        } catch {
            try? files.remove(temporary)  // The next writer removes what stays.
            throw error
        }
    }

    /// Writes a file that is no blob, compressed and verified like one; durable under its name when this returns.
    /// - Parameter body: hands its bytes to what it is called with.
    func write(to target: FilePath, _ body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws -> BlobReference {
        let bench = takeBench()
        defer { giveBack(bench) }
        let folder = target.removingLastComponent()
        let temporary = folder.appending(BackupPath.temporaryPrefix + target.lastComponent!.string)
        let file = try files.open(temporary, .createOrUpdate)
        defer { file.close() }
        let content: BlobReference
        do {
            try file.truncate(to: 0)
            var member = MemberWriter(file, bench)
            try body { try member.add($0) }
            content = try member.end()
            try verify(file, content, bench)
            try file.sync()
            try files.rename(temporary, to: target)
        } catch {
            try? files.remove(temporary)  // The next writer removes what stays.
            throw error
        }
        try files.syncFolder(folder)
        return content
    }

    private func verify(_ file: Files.File, _ blob: BlobReference, _ bench: BlobWorkbench) throws {
        var digest = Digest()
        var offset: Int64 = 0
        var length: Int64 = 0
        var ended = false
        bench.decompressor.reset()
        while offset < blob.stored {
            let count = try file.readFully(into: bench.input, at: offset)
            guard count > 0, !ended else { throw notVerified(blob.id) }
            let piece = UnsafeRawBufferPointer(rebasing: bench.input[..<count])
            let progress = bench.decompressor.run(piece, buffer: bench.output) {
                digest.update($0)
                length += Int64($0.count)
            }
            switch progress {
            case .needsInput?: break
            case .ended?: ended = true
            case nil: throw notVerified(blob.id)
            }
            offset += Int64(count)
        }
        guard ended, offset == blob.stored, length == blob.size, digest.finish() == blob.id else { throw notVerified(blob.id) }
    }

    private func notVerified(_ id: BlobID) -> StoreError {
        StoreError(
            .verificationFailed, doing: "verifying a compressed blob", subject: id.description,
            remedy: "another library does not read back what the compressor wrote. Set backupCompressionLevel to 6 and report this")
    }

    private func temporaryPath() -> FilePath {
        let number = lock.locked {
            nextTemporary += 1
            return nextTemporary
        }
        return path.blobs.appending("\(BackupPath.temporaryPrefix)\(number)")
    }

    /// Pins the id and looks whether the blob exists. Purge takes blobs under the same lock: not in between (R1).
    private func pinKnown(_ id: BlobID, _ recorded: (BlobID) throws -> BlobReference?) throws -> BlobReference? {
        if let inHand = pinStaged(id) { return inHand }
        // What lies nowhere is not recorded as something that could be taken: the index need not be asked, which a commit may hold for long.
        if isShared, try files.status(path.blob(id)) == nil, try Self.findExpired(id, files, path) == nil { return nil }
        guard let known = try recorded(id) else { return nil }
        return try lock.locked {
            if let inHand = pinStaged(id) { return inHand }  // Another thread was faster.
            // A length other than the recorded one is damage: the blob is written again.
            guard try files.status(path.blob(id))?.size == known.stored || restoreExpired(known) else { return nil }
            staged[id] = Staged(reference: known, temporary: nil, pins: 1)
            return known
        }
    }

    private func pinStaged(_ id: BlobID) -> BlobReference? {
        lock.locked {
            staged[id]?.pins += 1
            return staged[id]?.reference
        }
    }

    /// Calls `body` unless the blob is pinned; nobody can pin it meanwhile (R2).
    /// - Returns: nil where it is pinned.
    func unlessPinned<Result>(_ id: BlobID, _ body: () throws -> Result) rethrows -> Result? {
        try lock.locked { staged[id] == nil ? try body() : nil }
    }

    private func register(_ reference: BlobReference, _ temporary: FilePath) -> BlobReference {
        let (kept, superfluous): (BlobReference, Bool) = lock.locked {
            if var other = staged[reference.id] {
                // Another thread was faster with the same bytes, or a reference to damaged ones waits.
                other.pins += 1
                let superfluous = other.temporary != nil
                if !superfluous {
                    other.temporary = temporary
                    other.reference = reference
                }
                staged[reference.id] = other
                return (other.reference, superfluous)
            }
            staged[reference.id] = Staged(reference: reference, temporary: temporary, pins: 1)
            return (reference, false)
        }
        if superfluous { try? files.remove(temporary) }  // The next writer removes what stays.
        return kept
    }

    /// What is staged under an id, nil if nothing is.
    func stagedReference(_ id: BlobID) -> BlobReference? { lock.locked { staged[id]?.reference } }

    /// Whether purge must leave the blob alone.
    func isPinned(_ id: BlobID) -> Bool { lock.locked { staged[id] != nil } }

    /// Makes the staged blobs among `ids` durable under their names: sync all, rename all, sync all.
    ///
    /// They stay pinned until ``release(_:)``.
    func publish(_ ids: some Collection<BlobID>) throws {
        var renames: [(BlobID, FilePath)] = []
        lock.locked {
            for id in ids { if let temporary = staged[id]?.temporary { renames.append((id, temporary)) } }
        }
        guard !renames.isEmpty else { return }
        if batches { try synchronise() }
        var folders: Set<String> = []
        var hasNewFolder = false
        var targets: [(from: FilePath, to: FilePath)] = []
        for (id, temporary) in renames {
            let target = path.blob(id)
            let folder = target.removingLastComponent()
            let name = folder.lastComponent!.string
            if !knownFolders.contains(name) {
                try files.makeFolderIfMissing(folder)
                // Also where it was there: a process that died may have made it, and not synced its name.
                hasNewFolder = true
                knownFolders.insert(name)
            }
            folders.insert(name)
            targets.append((temporary, target))
        }
        try files.manyAtOnce(targets.count) { [targets] in try files.rename(targets[$0].from, to: targets[$0].to) }
        if batches {
            try synchronise()
        } else {
            for name in folders { try files.syncFolder(path.blobs.appending(name)) }
            if hasNewFolder { try files.syncFolder(path.blobs) }
        }
        lock.locked { for (id, _) in renames { staged[id]?.temporary = nil } }
    }

    private func synchronise() throws {
        if BrokenRule.breaks(.r1) { return }
        do {
            try root.syncFileSystem()
        } catch {
            throw StoreError(
                .syncFailed, doing: "making blobs durable", subject: path.blobs.string,
                remedy: "Look at the kernel's log for errors of the disk", cause: error)
        }
    }

    /// Unpins after the commit, as often as the group named each blob: what another thread staged meanwhile stays pinned.
    func release(_ uses: [BlobID: Int]) {
        lock.locked {
            for (id, count) in uses {
                guard var entry = staged[id], entry.temporary == nil else { continue }
                entry.pins -= count
                staged[id] = entry.pins > 0 ? entry : nil
            }
        }
    }

    /// Takes one staging back; the last one takes the unpublished file with it.
    func unstage(_ id: BlobID) {
        let temporary: FilePath? = lock.locked {
            guard var entry = staged[id] else { return nil }
            entry.pins -= 1
            staged[id] = entry.pins > 0 ? entry : nil
            return entry.pins > 0 ? nil : entry.temporary
        }
        if let temporary { try? files.remove(temporary) }  // The next writer removes what stays.
    }

    /// Whether something is staged and not committed.
    var hasStaged: Bool { lock.locked { !staged.isEmpty } }

    /// Drops everything staged and not committed.
    func dropAll() {
        let temporaries: [FilePath] = lock.locked {
            defer { staged = [:] }
            return staged.values.compactMap(\.temporary)
        }
        for temporary in temporaries { try? files.remove(temporary) }  // The next writer removes what stays.
        knownFolders = []
    }

    /// After a failed sync: a new descriptor, so that the error is not reported once more for what is written anew.
    func reopen() throws {
        dropAll()
        root.close()
        root = try files.openFolder(path.blobs)
    }
}
