import Glibc
import SystemPackage

/// Temporary folders for indexes that are made of a path without writing to it.
enum PrivateIndexFolder {
    /// Makes one in a folder; in `$TMPDIR` or `/tmp` where that is nil.
    static func make(in parent: FilePath?) throws -> FilePath {
        let parent = parent ?? FilePath(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")
        let folder = parent.appending("zxbackup-index-" + randomName())
        try PosixFileSystem().makeFolder(folder)
        return folder
    }

    static func remove(_ folder: FilePath) {
        let files = PosixFileSystem()
        // What cannot be removed from a temporary folder is the system's to clean.
        for entry in (try? files.list(folder)) ?? [] { try? files.remove(folder.appending(entry.name)) }
        _ = folder.withPlatformString { rmdir($0) }
    }
}
