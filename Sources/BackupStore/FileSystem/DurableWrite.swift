import SystemPackage

extension FileSystem {
    /// Writes a small file so that after a crash it is there whole or not at all: temporary file in the same folder, write,
    /// fsync, rename, fsync of the folder (Design, section 5).
    func writeDurably(_ bytes: [UInt8], to path: FilePath) throws {
        let name = path.lastComponent!.string
        let folder = path.removingLastComponent()
        let temporary = folder.appending(BackupPath.temporaryPrefix + name)
        let file = try open(temporary, .createOrUpdate)
        defer { file.close() }
        do {
            try file.truncate(to: 0)
            try bytes.withUnsafeBytes { try file.write($0, at: 0) }
            try file.sync()
            try rename(temporary, to: path)
        } catch {
            // The error that matters is the one above; the next writer removes what stays (R13).
            try? remove(temporary)
            throw error
        }
        try syncFolder(folder)
    }

    /// fsync of a folder: its names are durable.
    func syncFolder(_ path: FilePath) throws {
        let folder = try openFolder(path)
        defer { folder.close() }
        try folder.sync()
    }

    /// Makes a folder unless it is there; true if it was made.
    @discardableResult
    package func makeFolderIfMissing(_ path: FilePath) throws -> Bool {
        do {
            try makeFolder(path)
            return true
        } catch let error as Errno where error == .fileExists {
            return false
        }
    }

    /// Makes a folder and those above it, down from `root`, which exists. Returns the folders whose names are new.
    func makeFolders(_ path: FilePath, below root: FilePath) throws {
        do {
            try makeFolderIfMissing(path)
        } catch let error as Errno where error == .noSuchFileOrDirectory && path != root {
            try makeFolders(path.removingLastComponent(), below: root)
            try makeFolderIfMissing(path)
        }
    }

    /// Removes a file unless it is gone already.
    package func removeIfThere(_ path: FilePath) throws {
        do { try remove(path) } catch let error as Errno where error == .noSuchFileOrDirectory {}
    }

    /// All bytes of a small file; nil where there is none.
    func readSmallFile(_ path: FilePath, limit: Int = 1 << 24) throws -> [UInt8]? {
        let file: File
        do {
            file = try open(path, .read)
        } catch let error as Errno where error == .noSuchFileOrDirectory || error == .notDirectory {
            return nil
        }
        defer { file.close() }
        return try file.readBytes(at: 0, count: min(limit, Int(file.size())))
    }
}

extension OpenFile {
    /// Up to `count` bytes from an offset; fewer only at the end of the file.
    func readBytes(at offset: Int64, count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = try readFully(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
        }
    }

    /// Fills the buffer as far as the file goes.
    func readFully(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]), at: offset + Int64(filled))
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}
