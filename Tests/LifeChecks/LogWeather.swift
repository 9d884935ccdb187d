import BackupStore
import BackupStoreTesting
import RedoLog
import SystemPackage

/// Loses and damages parts of a server's redo log behind everyone's back.
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
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: try removeArchived(all: false)
        case 1: try removeArchived(all: true)
        case 2: try changeTail(of: 1) { $0 ^ 0x40 }
        case 3: try changeTail(of: 512) { _ in 0 }
        default: try truncate()
        }
    }

    private func removeArchived(all: Bool) throws -> Bool {
        let files = try disk.list(location.archive).map(\.name).filter { $0.hasSuffix(".log") }.sorted()
        guard let one = files.randomElement(using: &generator) else { return false }
        for name in files where all || name == one { try disk.remove(location.archive.appending(name)) }
        return true
    }

    /// Changes bytes among the last few thousand.
    private func changeTail(of count: Int, _ change: (UInt8) -> UInt8) throws -> Bool {
        let file = try FileDescriptor.open(location.log, .readWrite)
        return try file.closeAfter {
            let size = try file.seek(offset: 0, from: .end)
            let first = max(512, size - 4096)
            guard first + Int64(count) < size else { return false }
            let offset = Int64.random(in: first..<(size - Int64(count)), using: &generator)
            var bytes = [UInt8](repeating: 0, count: count)
            _ = try bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: offset, into: $0) }
            try file.writeAll(toAbsoluteOffset: offset, bytes.map(change))
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
