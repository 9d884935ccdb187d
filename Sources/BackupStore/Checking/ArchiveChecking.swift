import SystemPackage

extension CheckRun {
    /// The archives of the server's own files, against what their histories say of them.
    func checkArchives() throws {
        let names = try index.entries(of: .records)
        var known: Set<String> = []
        for id in names {
            let key = HistoryKey.directory(.records, id)
            guard let archive = try index.state(of: key).flatMap(ServerArchive.init) else { continue }
            known.insert(archive.name)
            try check(archive, of: key)
            try step(.blobs, report.blobs)
        }
        for entry in try entries(path.server) where entry.isFolder || !known.contains(entry.name) {
            unexpected("server/\(entry.name)")
        }
    }

    private func check(_ archive: ServerArchive, of key: HistoryKey) throws {
        let name = "server/\(archive.name)"
        let remedy = "The next doSmartScan keeps another one; of the past only this one is lost"
        try unlessUnreadable(name, of: key) {
            do {
                let file = try files.open(path.server.appending(archive.name), .read)
                defer { file.close() }
                let size = try file.readBlob(archive.content.id, limit: archive.content.size) { _ in }
                guard size != archive.content.size else { return }
                find(
                    CheckFinding(
                        .archiveDamaged, file: name, of: key, "the archive has \(size) bytes, recorded are \(archive.content.size)",
                        remedy: remedy))
            } catch let damage as BlobDamage {
                find(CheckFinding(.archiveDamaged, file: name, offset: damage.offset, of: key, damage.reason, remedy: remedy))
            } catch let error as Errno where error == .noSuchFileOrDirectory {
                // It may have been kept, or purged, since the check began or the copy was taken.
                doubt(
                    CheckFinding(
                        .archiveMissing, isCopy ? .note : .damage, file: name, of: key, "the archive is not there", remedy: remedy),
                    about: .history(key))
            }
        }
    }
}
