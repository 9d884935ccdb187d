import BackupStore
import BackupStoreTesting
import RedoLog
import SystemPackage

/// Loses and damages parts of a server's redo log behind everyone's back.
///
/// No single bytes: a record has no checksum, so that one which can still be read may say something else, and nothing tells.
final class LogWeather {
    private let disk = PosixFileSystem()
    private let location: LogLocation
    private var generator: BackupStoreTesting.SeededGenerator

    init(location: LogLocation, seed: UInt64) {
        self.location = location
        generator = BackupStoreTesting.SeededGenerator(seed: seed ^ 0x106)
    }

    /// Does one thing; whether there was something to do it to.
    func strike() throws -> Bool {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: try removeArchived(all: false)
        case 1: try removeArchived(all: true)
        case 2: try zeroSector()
        default: try truncate()
        }
    }

    private func removeArchived(all: Bool) throws -> Bool {
        let files = try disk.list(location.archive).map(\.name).filter { $0.hasSuffix(".log") }.sorted()
        guard let one = files.randomElement(using: &generator) else { return false }
        for name in files where all || name == one { try disk.remove(location.archive.appending(name)) }
        return true
    }

    /// Makes zeros of a sector's length, somewhere in the last few thousand bytes.
    private func zeroSector() throws -> Bool {
        let file = try FileDescriptor.open(location.log, .readWrite)
        return try file.closeAfter {
            let size = try file.seek(offset: 0, from: .end)
            let first = max(512, size - 4096)
            guard first + 512 < size else { return false }
            let offset = Int64.random(in: first..<(size - 512), using: &generator)
            try file.writeAll(toAbsoluteOffset: offset, [UInt8](repeating: 0, count: 512))
            return true
        }
    }

    private func truncate() throws -> Bool {
        let file = try FileDescriptor.open(location.log, .readWrite)
        return try file.closeAfter {
            let size = try file.seek(offset: 0, from: .end)
            guard size > 512 else { return false }
            try file.resize(to: max(512, size - Int64.random(in: 1...600, using: &generator)))
            return true
        }
    }
}
