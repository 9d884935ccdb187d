import Synchronization
import SystemPackage

extension CheckRun {
    private static var remedy: String {
        "Take the file from a copy of the backup path, or from the live server if it still has it"
    }

    /// Every blob that a state or the source position names: it is there, its bytes are those of its name, its lengths
    /// those recorded.
    func checkReferences() throws {
        let total = try index.use("counting blobs") { try $0.blobCount() }
        let held = scope == .everything ? Set(try index.meta("held")?.split(separator: " ").map(String.init) ?? []) : []
        var last = ""
        while true {
            let page = try index.use("listing blobs") { try $0.namedBlobs(after: last, limit: Self.page) }
            last = page.last?.id ?? last
            let named = page.compactMap { blob -> (blob: BlobReference, key: HistoryKey?)? in
                guard blob.user != nil || held.contains(blob.id), let id = BlobID(blob.id) else { return nil }
                return (BlobReference(id: id, size: blob.size, stored: blob.stored), blob.user.flatMap { HistoryKey(indexName: $0) })
            }
            var rest = named[...]
            while !rest.isEmpty {
                let batch = Self.batch(rest)
                rest = rest.dropFirst(batch.count)
                let sound = areSound(batch.map(\.blob))
                for (index, (blob, key)) in batch.enumerated() {
                    if sound[index] {
                        report.blobs += 1
                        report.blobBytes += blob.stored
                    } else {
                        try check(blob, of: key)
                    }
                    try step(.blobs, report.blobs, of: total)
                }
            }
            if page.count < Self.page { break }
        }
        if hasDamagedHistories { try checkForgotten() }
    }

    /// The blobs of states that only the path's own index still knows: what mends a history takes them from there.
    private func checkForgotten() throws {
        var last = ""
        // In a rotten index rows may be out of order: no page twice.
        while let page = try ownSays({ try $0.namedBlobs(after: last, limit: Self.page) }), let end = page.last, end.id > last {
            last = end.id
            for blob in page {
                guard let id = BlobID(blob.id), let key = blob.user.flatMap({ HistoryKey(indexName: $0) }), scope.contains(key),
                    try !index.use("looking for a blob", { try $0.isUsed(id) })
                else { continue }
                try check(BlobReference(id: id, size: blob.size, stored: blob.stored), of: key)
                try step(.blobs, report.blobs)
            }
        }
    }

    private static var page: Int { 500 }
    /// So much is read before somebody may stop the check again.
    private static var batchBytes: Int64 { 32 << 20 }

    private static func batch(_ rest: ArraySlice<(blob: BlobReference, key: HistoryKey?)>) -> ArraySlice<(blob: BlobReference, key: HistoryKey?)> {
        var bytes: Int64 = 0
        return rest.prefix { one in
            defer { bytes = bytes.addingReportingOverflow(max(one.blob.size, 0)).partialValue }
            return bytes >= 0 && bytes < batchBytes
        }
    }

    /// Which blobs are in their places and as recorded in everything, read on several threads; nothing is told of the others here.
    private func areSound(_ blobs: [BlobReference]) -> [Bool] {
        let sound = Mutex([Bool](repeating: false, count: blobs.count))
        guard threads > 1 else { return sound.withLock { $0 } }
        let (files, path) = (files, path)
        // Whatever is wrong with one is found again, and told, by the one that checks it alone.
        try? files.manyAtOnce(blobs.count, threads: threads) { index in
            let blob = blobs[index]
            guard let file = try? files.open(path.blob(blob.id), .read) else { return }
            defer { file.close() }
            guard (try? file.size()) == blob.stored, (try? file.readBlob(blob.id, limit: blob.size) { _ in }) == blob.size else { return }
            sound.withLock { $0[index] = true }
        }
        return sound.withLock { $0 }
    }

    private func check(_ blob: BlobReference, of key: HistoryKey?) throws {
        let name = path.relative(path.blob(blob.id))
        try unlessUnreadable(name, of: key) {
            if let file = try opened(path.blob(blob.id)) {
                defer { file.close() }
                return try check(file, name, blob, of: key)
            }
            if let expired = try BlobStore.findExpired(blob.id, files, path), let file = try opened(expired) {
                defer { file.close() }
                let name = path.relative(expired)
                try check(file, name, blob, of: key)
                guard try !isReleasedSince(blob.id), try files.status(path.blob(blob.id)) == nil else { return }
                return find(
                    CheckFinding(
                        .blobExpired, file: name, of: key, "a state names the blob, which lies among the expired ones only",
                        remedy: "It can be read there. Move it back to items/ before its day ends"))
            }
            // Purged meanwhile, or moved back.
            guard try !isReleasedSince(blob.id), try files.status(path.blob(blob.id)) == nil else { return }
            find(
                CheckFinding(
                    .blobMissing, file: name, of: key,
                    "\(key.map { "\($0)" } ?? "the source position") names the blob; it is nowhere",
                    remedy: Self.remedy))
        }
    }

    private func opened(_ place: FilePath) throws -> Files.File? {
        do {
            return try files.open(place, .read)
        } catch let error as Errno where error == .noSuchFileOrDirectory || error == .notDirectory {
            return nil
        }
    }

    private func check(_ file: Files.File, _ name: String, _ blob: BlobReference, of key: HistoryKey?) throws {
        let stored = try file.size()
        report.blobs += 1
        report.blobBytes += stored
        do {
            let size = try file.readBlob(blob.id, limit: blob.size) { _ in }
            if size != blob.size {
                find(
                    CheckFinding(
                        .blobDamaged, file: name, of: key, "the blob has \(size) bytes, recorded are \(blob.size)",
                        remedy: "Please report this: the digest is right"))
            }
            // Written again at another compression level, it is as good; older states keep the length that it had.
            guard stored != blob.stored, try ownSays({ try $0.blob(blob.id)?.stored }) != .some(stored) else { return }
            find(
                CheckFinding(
                    .blobDamaged, .note, file: name, of: key,
                    "the file has \(stored) bytes, recorded are \(blob.stored); its content is right",
                    remedy: "The next backup of the same content writes it again"))
        } catch let damage as BlobDamage {
            if try isCompressedTwice(file, blob) {
                return find(
                    CheckFinding(
                        .blobCompressedTwice, file: name, length: stored, of: key, "the blob was compressed twice",
                        remedy: "gunzip the file once and put the result in its place"))
            }
            find(
                CheckFinding(
                    .blobDamaged, file: name, offset: damage.offset, of: key, damage.reason, remedy: Self.remedy))
        }
    }

    /// Whether the content is there under a second layer of compression.
    private func isCompressedTwice(_ file: Files.File, _ blob: BlobReference) throws -> Bool {
        var digest = Digest()
        do {
            try file.decompressTwice(limit: blob.size) { digest.update($0) }
        } catch is BlobDamage {
            return false
        }
        return digest.finish() == blob.id
    }

    /// Files below `items/` and `expired/`: blobs of no state, and what is no blob.
    func checkBlobFiles() throws {
        for folder in try entries(path.blobs, telling: false) {
            guard folder.isFolder, folder.name.utf8.count == 2 else {
                unexpected("items/\(folder.name)")
                continue
            }
            for entry in try entries(path.blobs.appending(folder.name)) {
                let name = "items/\(folder.name)/\(entry.name)"
                guard !entry.isFolder, let id = BlobID(entry.name), entry.name.hasPrefix(folder.name) else {
                    unexpected(name)
                    continue
                }
                if try !index.use("looking for a blob", { try $0.isUsed(id) }) { try findOrphan(id, name) }
                try step(.blobs, report.blobs)
            }
        }
        for day in try entries(path.expired) {
            guard day.isFolder else {
                unexpected("expired/\(day.name)")
                continue
            }
            for entry in try entries(path.expired.appending(day.name)) where entry.isFolder || BlobID(entry.name) == nil {
                unexpected("expired/\(day.name)/\(entry.name)")
            }
        }
    }

    private func findOrphan(_ id: BlobID, _ name: String) throws {
        // A writer publishes blobs before the states that name them (R1).
        if try ownSays({ try $0.isUsed(id) }) == true { return }
        // What accounts name is in no other index than the path's own.
        if scope != .everything, own == nil { return }
        guard let status = try files.status(path.blob(id)) else { return }
        if try WriterLock.isHeld(files, path), status.modified >= Self.hourAgo { return }
        find(
            CheckFinding(
                .blobOrphaned, .note, file: name, length: status.size, "no state names the blob",
                remedy: "A crash between blob and commit leaves such ones; a purge takes them"))
    }
}
