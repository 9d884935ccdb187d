import BackupCore
import Foundation
import Synchronization
import SystemPackage

/// The server's own configuration files, as the machine's `tar` archives them: with owners, modes, times and links.
struct Customizations {
    /// Folders below the server's home that hold what an administrator may have changed (Zimbra 8.7 and later: `common/conf`).
    static let folders = ["conf", "postfix/conf", "common/conf"]

    private let home: FilePath

    init(home: FilePath) { self.home = home }

    /// Those of the folders that are there.
    var present: [String] {
        Self.folders.filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: home.pushing(FilePath(name)).string, isDirectory: &isFolder) && isFolder.boolValue
        }
    }

    /// Writes the archive.
    ///
    /// - Returns: what `tar` could not read, each in a line.
    /// - Throws: `CoreError` where `tar` cannot be run or ends early.
    func archive(_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> [String] {
        func failure(_ reason: String) -> CoreError {
            CoreError(
                .serverUnreadable, doing: "archiving the server's configuration files", subject: home.string, reason: reason,
                remedy: "tar must be installed, and the folders readable")
        }
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = ["tar", "-c", "-f", "-", "-C", home.string, "--"] + present
        tar.environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "LC_ALL": "C"]
        let (output, errors) = (Pipe(), Pipe())
        (tar.standardOutput, tar.standardError, tar.standardInput) = (output, errors, FileHandle.nullDevice)
        do { try tar.run() } catch { throw failure("\(error)") }
        let said = SaidByProgram(errors.fileHandleForReading)
        do {
            while let piece = try output.fileHandleForReading.read(upToCount: 1 << 18), !piece.isEmpty {
                try piece.withUnsafeBytes { try write($0) }
            }
        } catch {
            tar.terminate()
            tar.waitUntilExit()
            throw error
        }
        tar.waitUntilExit()
        let problems = said.lines()
        // 1: a file changed while it was read. 2: a file could not be read; the others are in the archive.
        guard tar.terminationReason == .exit, tar.terminationStatus <= 2, tar.terminationStatus == 0 || !problems.isEmpty else {
            throw failure("tar ended with status \(tar.terminationStatus): \(problems.last ?? "it said nothing")")
        }
        return problems
    }
}

/// What a program writes to its standard error, read while its output is.
private final class SaidByProgram: Sendable {
    private let group = DispatchGroup()
    private let bytes = Mutex(Data())
    /// More of it is not kept.
    private static let longest = 1 << 20

    init(_ handle: FileHandle) {
        DispatchQueue.global().async(group: group) { [self] in
            while case let piece = handle.availableData, !piece.isEmpty {
                bytes.withLock { if $0.count < Self.longest { $0 += piece } }
            }
        }
    }

    /// Waits for the end.
    func lines() -> [String] {
        group.wait()
        return String(decoding: bytes.withLock { $0 }, as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { !$0.hasSuffix("Exiting with failure status due to previous errors") }
    }
}
