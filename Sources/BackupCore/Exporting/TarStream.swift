import BackupStore

/// A tar archive in one gzip stream, as the mail server writes and reads it (formats/zimbra-soap.md, section 8.2): names of any length
/// by GNU's type L, the item's type as group name and device number, and no extended headers, which its reader does not know.
final class TarStream {
    private static let block = 512
    /// The size field holds eleven octal digits.
    static let longestEntry: Int64 = (1 << 33) - 1

    private let file: ExportFile
    private let compressor = Compressor(level: 2)
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private var pending: [UInt8] = []

    init(_ file: ExportFile) { self.file = file }

    deinit { output.deallocate() }

    /// Begins an entry; exactly `size` bytes and ``pad(_:)`` must follow.
    ///
    /// - Parameters:
    ///   - type: the code of the item and its name on the server.
    ///   - date: seconds since 1970.
    func begin(_ name: String, size: Int64, type: (code: Int, name: String), date: Int64, isUnread: Bool) throws {
        let bytes = Array(name.utf8)
        if bytes.count > 100 {
            try put(Self.header(Array("././@LongLink".utf8), size: Int64(bytes.count + 1), kind: "L"))
            try put(bytes + [0])
            try pad(Int64(bytes.count + 1))
        }
        try put(
            Self.header(
                Array(bytes.prefix(100)), size: size, kind: "0", mode: isUnread ? 0o100444 : 0o100644, date: date, group: type.name,
                device: type.code))
    }

    /// Fills an entry up to whole blocks.
    func pad(_ size: Int64) throws {
        let rest = Int(size % Int64(Self.block))
        if rest > 0 { try put([UInt8](repeating: 0, count: Self.block - rest)) }
    }

    /// Two empty blocks, and the end of the gzip stream.
    func end() throws {
        try put([UInt8](repeating: 0, count: 2 * Self.block))
        try compress(last: true)
    }

    func put(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try put($0) } }

    func put(_ bytes: UnsafeRawBufferPointer) throws {
        pending.append(contentsOf: bytes)
        if pending.count >= 1 << 16 { try compress(last: false) }
    }

    private func compress(last: Bool) throws {
        try pending.withUnsafeBytes { try compressor.run($0, last: last, buffer: output) { try file.write($0) } }
        pending.removeAll(keepingCapacity: true)
    }

    private static func header(
        _ name: [UInt8], size: Int64, kind: Character, mode: Int = 0o100644, date: Int64 = 0, group: String = "", device: Int = 0
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: block)
        func set(_ place: Int, _ text: [UInt8]) { bytes.replaceSubrange(place..<place + text.count, with: text) }
        /// Octal digits, filled up with zeros.
        func octal(_ number: Int64, _ width: Int) -> [UInt8] {
            let digits = Array(String(max(number, 0), radix: 8).utf8).suffix(width)
            return [UInt8](repeating: UInt8(ascii: "0"), count: width - digits.count) + digits
        }
        set(0, name)
        set(100, octal(Int64(mode), 7))
        set(108, octal(0, 7))
        set(116, octal(0, 7))
        set(124, octal(size, 11))
        set(136, octal(min(date, longestEntry), 11))
        set(148, [UInt8](repeating: UInt8(ascii: " "), count: 8))
        set(156, [kind.asciiValue!])
        set(257, Array("ustar".utf8))
        set(297, Array(group.utf8.prefix(31)))
        set(329, octal(Int64(device), 7))
        set(337, octal(0, 7))
        let sum = bytes.reduce(0) { $0 + Int64($1) }
        set(148, octal(sum, 6) + [0, UInt8(ascii: " ")])
        return bytes
    }
}
