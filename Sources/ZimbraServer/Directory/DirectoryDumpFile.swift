import BackupCore
import BackupStore
import Foundation
import SystemPackage

/// A dump of a directory in a file: LDIF (RFC 2849), or a gzip member of it.
public struct DirectoryDumpFile: Sendable {
    /// An entry with more bytes is none.
    private static let longestEntry = 64 << 20

    private let path: FilePath

    /// A file.
    public init(_ path: FilePath) { self.path = path }

    /// Calls for each entry that is no account's, with the file's own time, milliseconds since 1970.
    ///
    /// - Throws: `CoreError` with `directoryFailed` where it cannot be read or is no LDIF; what `body` throws.
    public func forEachEntry(_ body: (ConfigurationEntry, Int64) throws -> Void) throws {
        let time: Int64
        do {
            let date = try FileManager.default.attributesOfItem(atPath: path.string)[.modificationDate] as? Date
            time = Int64((date ?? Date()).timeIntervalSince1970 * 1000)
        } catch {
            throw failure("it cannot be read: \(error.localizedDescription)")
        }
        var entry = DirectoryEntry(dn: "", attributes: [:])
        func end() throws {
            defer { entry = DirectoryEntry(dn: "", attributes: [:]) }
            guard !entry.dn.isEmpty, case .configuration(.directory(let kind, let id)) = DirectoryRole(entry) else { return }
            try body(
                ConfigurationEntry(kind: kind, id: id, name: entry.name, dn: entry.dn, attributes: entry.attributes), time)
        }
        // A line goes on where the next one begins with a space.
        var line: [UInt8] = []
        func take() throws {
            defer { line.removeAll(keepingCapacity: true) }
            guard !line.isEmpty, line[0] != UInt8(ascii: "#") else { return }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw failure("a line is none of LDIF") }
            let name = String(decoding: line[..<colon], as: UTF8.self)
            var value = line[(colon + 1)...]
            let isEncoded = value.first == UInt8(ascii: ":")
            if isEncoded { value = value.dropFirst() }
            value = value.drop { $0 == 0x20 }
            var bytes = Array(value)
            if isEncoded {
                guard let data = Data(base64Encoded: Data(value)) else { throw failure("the value of \(name) is no base64") }
                bytes = Array(data)
            }
            let text = String(validating: bytes, as: UTF8.self) ?? "data:;base64,\(Data(bytes).base64EncodedString())"
            if name.lowercased() == "dn" { entry.dn = text } else { entry.attributes[name, default: []].append(text) }
        }
        var isAtStart = true
        var size = 0
        try readBytes { bytes in
            for byte in bytes {
                if isAtStart {
                    isAtStart = false
                    if byte == 0x20 { continue }
                    try take()
                    if byte == 0x0A {
                        try end()
                        size = 0
                        isAtStart = true
                        continue
                    }
                }
                if byte == 0x0A {
                    isAtStart = true
                } else if byte != 0x0D {
                    line.append(byte)
                    size += 1
                    if size > Self.longestEntry { throw failure("an entry has more than \(Self.longestEntry) bytes") }
                }
            }
        }
        try take()
        try end()
    }

    private func readBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        do {
            try GzipFile.read(path, body)
        } catch let error as Errno {
            throw failure("\(error)")
        } catch is GzipFile.Damaged {
            throw failure("it is no whole gzip member")
        }
    }

    private func failure(_ reason: String) -> CoreError {
        CoreError(
            .directoryFailed, doing: "reading a dump of the directory", subject: path.string, reason: reason,
            remedy: "doBackupLDAP makes such files; 'getServerConfig standard' without file reads the histories")
    }
}
