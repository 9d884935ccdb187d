#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import GRDB
import SystemPackage

/// The small files of the running program: what was begun, what became of each restored item, properties, the service's socket.
public enum StateFolder {
    /// Makes a folder with its parents, for the owner only.
    public static func make(_ folder: FilePath) throws {
        if mkdir(folder.string, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, !folder.removingLastComponent().isEmpty else { throw failure(folder, Errno(rawValue: errno)) }
        try make(folder.removingLastComponent())
        guard mkdir(folder.string, 0o700) == 0 || errno == EEXIST else { throw failure(folder, Errno(rawValue: errno)) }
    }

    /// Opens a small database, for the owner only, whose commits are durable when they return.
    ///
    /// - Parameter alone: refuses when another process has it open.
    static func database(_ file: FilePath, alone: Bool) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = alone ? .immediateError : .timeout(10)
        configuration.prepareDatabase { database in
            if alone { try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        // SQLite gives its other files the rights of this one.
        let descriptor = open(file.string, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
        } else if errno != EEXIST || chmod(file.string, 0o600) != 0 {
            // An existing one is not opened here: closing it would let go of the process's locks on it.
            throw failure(file, Errno(rawValue: errno))
        }
        do {
            return try DatabaseQueue(path: file.string, configuration: configuration)
        } catch {
            throw failure(file, error)
        }
    }

    private static func failure(_ path: FilePath, _ cause: any Error) -> CoreError {
        CoreError(
            CoreError.Code("stateFolder"), doing: "opening the state folder", subject: path.string,
            reason: "it cannot be written", remedy: "Check 'stateFolder' of the configuration and the rights on that folder", cause: cause)
    }
}
