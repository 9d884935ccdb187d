import Foundation
import SystemPackage

/// A small file system in memory, mounted on a folder until the test is over.
final class SmallDisk {
    /// Where this machine lets nobody mount one, the tests that need one are skipped by name.
    static let canMount: Bool = {
        let place = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-\(UUID().uuidString)").path)
        defer { try? FileManager.default.removeItem(atPath: place.string) }
        return (try? SmallDisk(on: place, "size=64k")) != nil
    }()

    private struct Failure: Error {}
    private let place: FilePath

    /// - Parameter options: as of `mount -t tmpfs -o …`.
    init(on place: FilePath, _ options: String) throws {
        self.place = place
        try FileManager.default.createDirectory(atPath: place.string, withIntermediateDirectories: true)
        try Self.run("mount", "-t", "tmpfs", "-o", options, "none", place.string)
    }

    deinit { try? Self.run("umount", "-l", place.string) }

    func remount(_ options: String) throws { try Self.run("mount", "-o", "remount," + options, place.string) }

    private static func run(_ words: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure() }
    }
}
