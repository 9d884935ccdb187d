import BackupCore
import Foundation

/// The directory as LDIF (RFC 2849), as `slapcat` writes it and `slapadd` reads it.
struct DirectoryDump {
    /// Operational attributes that the server makes up for each answer: none that could be loaded.
    private static let computed: Set = ["entrydn", "subschemasubentry", "hassubordinates", "numsubordinates"]
    /// Written in pieces of about so many bytes.
    private static let piece = 1 << 18

    private let write: (UnsafeRawBufferPointer) throws -> Void
    private var text: [UInt8] = []
    private var written: Set<String> = []
    /// What came before the entry above it, by that one's name.
    private var waiting: [String: [(dn: String, text: [UInt8])]] = [:]

    private init(_ write: @escaping (UnsafeRawBufferPointer) throws -> Void) { self.write = write }

    /// Writes everything below a base, entries before what lies below them.
    static func run(_ connection: DirectoryConnection, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        try withoutActuallyEscaping(write) { write in
            var dump = DirectoryDump(write)
            try connection.search("(objectClass=*)", attributes: ["*", "+"]) { try dump.add($0) }
            // What hangs on nothing that this user may see.
            for key in dump.waiting.keys.sorted(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) {
                for entry in dump.waiting.removeValue(forKey: key) ?? [] { try dump.put(entry.dn, entry.text) }
            }
            try dump.flush()
        }
    }

    private mutating func add(_ entry: RawEntry) throws {
        // The root of the tree itself is no entry.
        guard !entry.dn.isEmpty else { return }
        let parent = DirectoryEntry(dn: entry.dn, attributes: [:]).parentDN.lowercased()
        let text = Self.ldif(entry)
        if written.contains(parent) || parent.isEmpty {
            try put(entry.dn, text)
        } else {
            waiting[parent, default: []].append((entry.dn, text))
        }
    }

    private mutating func put(_ dn: String, _ entry: [UInt8]) throws {
        text += entry
        written.insert(dn.lowercased())
        if text.count >= Self.piece { try flush() }
        for child in waiting.removeValue(forKey: dn.lowercased()) ?? [] { try put(child.dn, child.text) }
    }

    private mutating func flush() throws {
        try text.withUnsafeBytes { try write($0) }
        text.removeAll(keepingCapacity: true)
    }

    static func ldif(_ entry: RawEntry) -> [UInt8] {
        var text = line("dn", Array(entry.dn.utf8))
        for (name, values) in entry.attributes where !computed.contains(name.lowercased()) {
            for value in values { text += line(name, value) }
        }
        return text + [UInt8(ascii: "\n")]
    }

    /// `name: value`, or `name:: base64` where the value is no SAFE-STRING.
    private static func line(_ name: String, _ value: [UInt8]) -> [UInt8] {
        let isSafe = value.allSatisfy { $0 < 0x80 && $0 != 0 && $0 != 0x0A && $0 != 0x0D }
            && !(value.first.map { [0x20, 0x3A, 0x3C].contains($0) } ?? false) && value.last != 0x20
        let shown = isSafe ? [0x20] + value : Array((": " + Data(value).base64EncodedString()).utf8)
        return Array("\(name):".utf8) + shown + [0x0A]
    }
}

extension ZimbraDirectory {
    /// Writes the directory whole as LDIF, with operational attributes.
    ///
    /// - Throws: `CoreError`, and what `write` throws.
    public func dump(_ write: (UnsafeRawBufferPointer) throws -> Void) throws { try DirectoryDump.run(try connect(), write) }
}
