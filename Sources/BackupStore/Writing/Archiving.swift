import SystemPackage

extension FileStoreWriter {
    /// Keeps a file of the mail server in `server/`, as one gzip member, verified as blobs are; durable when this returns.
    ///
    /// - Parameters:
    ///   - name: the file's name, which no archive may have.
    ///   - time: milliseconds since 1970.
    ///   - body: hands what is in it, uncompressed, to what it is called with.
    /// - Throws: `invalidInput` for a name that is in use or can be none; what `body` throws: nothing is kept then.
    public func keepArchive(
        _ kind: ServerArchive.Kind, named name: String, at time: Int64,
        _ body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> ServerArchive {
        try working("keeping an archive of the server") {
            let key = ServerArchive.key(name)
            guard key.isStorable, isFileName(name), try state(of: key) == nil else { throw invalid("archive \(name)") }
            try commit()
            try makeReady()
            try files.makeFolderIfMissing(path.server)
            let content = try blobs.write(to: path.server.appending(name), body)
            let archive = ServerArchive(kind: kind, name: name, content: content, time: time)
            try append(StoreTransaction(account: nil, time: time, kind: "archive", states: [archive.state]))
            try commit()
            return archive
        }
    }

    /// Removes archives that were kept before a commit sequence, but of each kind the last one, and files that no history names.
    ///
    /// - Returns: those that went.
    public func removeArchives(before sequence: UInt64) throws -> [ServerArchive] {
        try working("removing archives of the server") {
            let all = try archives()
            let last = Dictionary(all.map { ($0.kind, $0.name) }, uniquingKeysWith: { $1 })
            let old = try all.filter { archive in
                guard last[archive.kind] != archive.name, let state = try state(of: archive.key) else { return false }
                return state.sequence < sequence
            }
            // R2: what names a file is durably gone before the file.
            if !old.isEmpty { try removeHistories(old.map(\.key), with: .purge(options.now())) }
            let named = Set(all.map(\.name)).subtracting(old.map(\.name))
            guard try files.status(path.server) != nil else { return old }
            let kinds = Set(all.map(\.kind.name)).union([ServerArchive.Kind.directory.name, ServerArchive.Kind.customizations.name])
            for entry in try files.list(path.server) where !entry.isFolder && !named.contains(entry.name) {
                // What somebody else put there is none of ours.
                if kinds.contains(where: { entry.name.hasPrefix($0 + "_") }) { try files.removeIfThere(path.server.appending(entry.name)) }
            }
            return old
        }
    }
}
