import BackupStoreTesting
import Glibc
import SystemPackage

@testable import BackupStore

/// A folder that goes with the test.
final class TemporaryFolder: Sendable {
    let path: FilePath

    init() {
        var template = Array("/tmp/zxbackup-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no temporary folder: errno \(errno)") }
        path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    deinit { FolderTree.remove(path) }

    func appending(_ name: String) -> FilePath { path.appending(name) }

    /// `cp -r`: a copy with new inodes.
    static func copy(_ source: FilePath, to target: FilePath, leavingOut: (FilePath) -> Bool = { _ in false }) throws {
        let files = PosixFileSystem()
        try files.makeFolderIfMissing(target)
        for entry in try files.list(source).sorted(by: { $0.name < $1.name }) {
            let from = source.appending(entry.name)
            let to = target.appending(entry.name)
            if leavingOut(from) { continue }
            if entry.isFolder {
                try copy(from, to: to, leavingOut: leavingOut)
            } else if let bytes = try files.readSmallFile(from, limit: 1 << 30) {
                let file = try files.open(to, .createOrUpdate)
                try bytes.withUnsafeBytes { try file.write($0, at: 0) }
                file.close()
            }
        }
    }
}
