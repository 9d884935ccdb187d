import Glibc
import SystemPackage

extension LogLocation {
    /// The files in the archive, and finished ones that were kept, by sequence number, then by name (which is by time). A missing
    /// directory holds none.
    public func archivedFiles() throws(RedoLogError) -> [ArchivedFile] {
        let archived = try namesOfFiles(in: archive).compactMap { ArchivedFile(name: $0, directory: archive) }
        return try (archived + keptFiles()).sorted { ($0.sequence, $0.path.string) < ($1.sequence, $1.path.string) }
    }

    /// The directory of the current file.
    var directory: FilePath {
        let directory = log.removingLastComponent()
        return directory.isEmpty ? "." : directory
    }

    /// The files that a rollover left behind when the server died in it, or is about to rename.
    func temporaryFiles() throws(RedoLogError) -> [FilePath] {
        try namesOfFiles(in: directory)
            .filter { $0.hasPrefix("~tmp-redo-") && $0.hasSuffix(".log") }
            .sorted().map { directory.appending($0) }
    }
}

/// A file of the archive (section 1.2).
public struct ArchivedFile: Hashable, Sendable {
    /// The decimal number behind the last `-seq` of the name.
    public let sequence: Int64
    /// The file.
    public let path: FilePath

    /// The file with this name, unless the name is not one of the series.
    init?(name: String, directory: FilePath) {
        guard name.hasPrefix("redo-"), let sequence = sequenceNumber(inName: name) else { return nil }
        self.sequence = sequence
        path = directory.appending(name)
    }
}

/// The number between the last `-seq` and the `.log` at the end; nil where there is none.
func sequenceNumber(inName name: String) -> Int64? {
    let bytes = Array(name.utf8)
    guard bytes.count > 4, bytes.suffix(4).elementsEqual(".log".utf8) else { return nil }
    let stem = bytes.dropLast(4)
    let digits = stem.reversed().prefix { $0 >= 0x30 && $0 <= 0x39 }
    guard !digits.isEmpty, stem.dropLast(digits.count).suffix(4).elementsEqual("-seq".utf8) else { return nil }
    return Int64(String(decoding: digits.reversed(), as: UTF8.self))
}

/// `YYYYMMDD.HHMMSS.mmm` in GMT.
func archiveTime(_ milliseconds: Int64) -> String {
    var seconds = time_t(milliseconds / 1000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func padded(_ value: some BinaryInteger, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return padded(parts.tm_year + 1900, 4) + padded(parts.tm_mon + 1, 2) + padded(parts.tm_mday, 2) + "."
        + padded(parts.tm_hour, 2) + padded(parts.tm_min, 2) + padded(parts.tm_sec, 2) + "."
        + padded(milliseconds % 1000, 3)
}

/// The sequence number behind this one: after 2^63−1 follows 0.
func sequence(after sequence: Int64) -> Int64 { sequence == .max ? 0 : sequence + 1 }

func namesOfFiles(in directory: FilePath) throws(RedoLogError) -> [String] {
    guard let stream = opendir(directory.string) else {
        if errno == ENOENT || errno == ENOTDIR { return [] }
        throw RedoLogError(Errno(rawValue: errno), doing: "listing a directory of redo logs", subject: directory.string)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        names.append(name)
    }
    return names
}
