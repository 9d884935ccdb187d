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

    deinit { Self.remove(path) }

    func appending(_ name: String) -> FilePath { path.appending(name) }

    static func remove(_ path: FilePath) {
        let files = PosixFileSystem()
        for entry in (try? files.list(path)) ?? [] {
            let child = path.appending(entry.name)
            if entry.isFolder { remove(child) } else { try? files.remove(child) }
        }
        _ = path.withPlatformString { rmdir($0) }
    }

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

/// A small, seeded generator: the same tests every time (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
