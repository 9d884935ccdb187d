extension FileStoreWriter {
    /// Streams a blob in: compressed, verified, pinned (R1); durable with the next ``commit()``.
    ///
    /// - Parameter source: fills the buffer and returns the count, 0 at the end.
    /// - Returns: the reference to name in states. Equal bytes are kept once.
    public func stageBlob(_ source: ByteSource) throws -> BlobReference {
        try readyToStage()
        return try describingErrors("writing a blob", path.blobs.string, but: source) { source in
            try blobs.stage(source) { id in try recordedBlob(id) }
        }
    }

    /// Stages a blob that is in memory.
    public func stageBlob(_ bytes: [UInt8]) throws -> BlobReference {
        try bytes.withUnsafeBytes { try stageBlob($0) }
    }

    /// Stages a blob that is in memory.
    public func stageBlob(_ bytes: UnsafeRawBufferPointer) throws -> BlobReference {
        try readyToStage()
        return try describingErrors("writing a blob", path.blobs.string) { try blobs.stage(bytes) { id in try recordedBlob(id) } }
    }

    /// A simulated file system is asked by one thread: what happens there must happen again.
    public var stagesOnThreads: Bool { Files.self == PosixFileSystem.self }

    /// Whether a blob is still staged: an error may have dropped it. Reopens first where an error asks for that.
    public func isStaged(_ blob: BlobReference) throws -> Bool {
        try readyToStage()
        return blobs.isPinned(blob.id)
    }

    /// Takes the staging of a blob back which no state will name.
    public func unstage(_ blob: BlobReference) { blobs.unstage(blob.id) }

    /// Reopening drops what is staged, so it comes first.
    private func readyToStage() throws {
        guard asksForReopening.load(ordering: .sequentiallyConsistent) else { return }
        try working("writing a blob") { if mustReopen != nil { try makeReady() } }
    }

    private func recordedBlob(_ id: BlobID) throws -> BlobReference? {
        try lock.locked { try index.use("looking for a blob") { try $0.blob(id) } }
    }
}
