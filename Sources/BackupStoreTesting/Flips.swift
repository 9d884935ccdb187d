import BackupStore
import SystemPackage

/// Every small damage to a small backup path, one after the other: each must be found by the check of the path, or be of no
/// effect on anything that is read.
///
/// For small files every place gets every value, for the others one; every line is cut, removed and swapped with the next;
/// every file is removed, emptied, and put back to what it was earlier. Nothing may trap, and no state may be read that was not written.
public struct Flips: Sendable {
    /// What was tried and found.
    public struct Report: Sendable {
        /// Bytes of files, lines and files that were damaged.
        public var places = 0
        /// Damages: one for each value of a place.
        public var values = 0
        /// Damages that the check found, or that were refused with a reason.
        public var found = 0
        /// Damages of no effect, by the reason.
        public var withoutEffect: [String: Int] = [:]
        /// Damages that were not found though they had an effect, or that made something be read that was never written.
        public var missed: [String] = []

        /// An empty report.
        public init() {}

        /// Adds another one.
        public mutating func add(_ other: Report) {
            places += other.places
            values += other.values
            found += other.found
            withoutEffect.merge(other.withoutEffect, uniquingKeysWith: +)
            missed += other.missed
        }
    }

    /// A folder for indexes.
    public let folder: FilePath
    /// Files of so many bytes or fewer get every value at every place.
    public let smallFile: Int
    /// The search ends when so many were missed.
    public let limit: Int

    /// - Parameter folder: where indexes are kept; best in memory.
    public init(folder: FilePath, smallFile: Int = 256, limit: Int = 20) {
        (self.folder, self.smallFile, self.limit) = (folder, smallFile, limit)
    }

    /// Damages the sample.
    ///
    /// - Parameters:
    ///   - stride: tries every such damage only.
    ///   - part: which share of the damages, of how many; each share may run in a thread of its own.
    ///   - progress: called now and then.
    public func run(
        stride: Int = 1, part: (number: Int, of: Int) = (0, 1), progress: (Report) -> Void = { _ in }
    ) throws -> Report {
        let place = folder.appending("flips-\(part.number)")
        try PosixFileSystem().makeFolder(place)
        defer { FolderTree.remove(place) }
        let trials = try FlipTrials(FlipSample(place))
        var report = Report()
        var number = 0
        for (file, damages) in trials.damages(smallFile: smallFile) {
            var last = -1
            for damage in damages {
                number += 1
                guard number % (stride * part.of) == (part.number * stride) % (stride * part.of) else { continue }
                if damage.place != last { report.places += 1 }
                last = damage.place
                report.values += 1
                switch try trials.judge(damage, of: file) {
                case .found: report.found += 1
                case .withoutEffect(let reason): report.withoutEffect[reason, default: 0] += 1
                case .missed(let what): report.missed.append("\(file), \(damage): \(what)")
                }
                if report.values % 100 == 0 { progress(report) }
                guard report.missed.count < limit else { return report }
            }
        }
        return report
    }
}

/// One damage of a file.
struct FlipDamage: CustomStringConvertible {
    enum Change {
        case value(UInt8)
        case cutLine, removedLine, swappedLines
        case removedFile, emptiedFile
        case rolledBack([UInt8])
    }

    /// Where: a byte, or a line's number after all bytes.
    var place: Int
    var change: Change

    var description: String {
        switch change {
        case .value(let value): "byte \(place) becomes \(value)"
        case .cutLine: "line \(place) is cut"
        case .removedLine: "line \(place) is removed"
        case .swappedLines: "line \(place) is swapped with the next"
        case .removedFile: "removed"
        case .emptiedFile: "emptied"
        case .rolledBack(let bytes): "rolled back to \(bytes.count) earlier bytes"
        }
    }

    /// The file's bytes after it; nil where the file goes.
    func applied(to bytes: [UInt8]) -> [UInt8]? {
        switch change {
        case .value(let value):
            var bytes = bytes
            bytes[place] = value
            return bytes
        case .removedFile: return nil
        case .emptiedFile: return []
        case .rolledBack(let earlier): return earlier
        case .cutLine, .removedLine, .swappedLines:
            var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { Array($0) + [10] }
            lines[lines.count - 1].removeLast()
            switch change {
            case .cutLine:
                // The file ends in the middle of the line.
                lines.removeSubrange((place + 1)...)
                lines[place] = Array(lines[place].prefix(lines[place].count / 2))
            case .removedLine: lines.remove(at: place)
            default: lines.swapAt(place, place + 1)
            }
            return lines.flatMap { $0 }
        }
    }
}
