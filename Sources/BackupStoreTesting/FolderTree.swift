import BackupStore
import Glibc
import SystemPackage

/// Folders of the machine that a search made.
package enum FolderTree {
    /// Removes a folder and all in it, as far as it can.
    package static func remove(_ path: FilePath) {
        let files = PosixFileSystem()
        for entry in (try? files.list(path)) ?? [] {
            let child = path.appending(entry.name)
            // A link to a folder is removed, not what it leads to.
            if (try? files.remove(child)) == nil, entry.isFolder { remove(child) }
        }
        _ = path.withPlatformString { rmdir($0) }
    }
}
