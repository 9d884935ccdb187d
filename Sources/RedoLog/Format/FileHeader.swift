/// The 512 bytes at the start of every log file (section 2).
public struct FileHeader: Hashable, Sendable {
    /// The length of the header; the first record starts here.
    public static let length = 512

    /// 0 = closed properly, otherwise open now or left by a dead process.
    public var openFlag: UInt8
    /// The file's length when it was closed; stale while it is open.
    public var fileSize: Int64
    /// The file's number in the series.
    public var sequence: Int64
    /// The `zimbraId` of the server's LDAP entry, at most 127 bytes.
    public var serverID: LogText
    /// The timestamp of the first record, 0 without records. Milliseconds.
    public var firstOperationTime: Int64
    /// The largest timestamp of a record; stale while the file is open. Milliseconds.
    public var lastOperationTime: Int64
    /// The version of the server that wrote the header; 0.0 is given as 1.0.
    public var version: FormatVersion
    /// When the file was created. Milliseconds.
    public var createTime: Int64
    /// Whether all bytes that carry nothing were zero.
    public var paddingIsZero: Bool

    /// A header; `paddingIsZero` is about headers that were read.
    public init(
        openFlag: UInt8, fileSize: Int64 = 0, sequence: Int64, serverID: LogText, firstOperationTime: Int64 = 0,
        lastOperationTime: Int64 = 0, version: FormatVersion = .current, createTime: Int64
    ) {
        self.openFlag = openFlag
        self.fileSize = fileSize
        self.sequence = sequence
        self.serverID = serverID
        self.firstOperationTime = firstOperationTime
        self.lastOperationTime = lastOperationTime
        self.version = version
        self.createTime = createTime
        paddingIsZero = true
    }

    /// Whether the open flag is set.
    public var isOpen: Bool { openFlag != 0 }

    /// Whether the file was written by another server than this one. A server that could not ask its directory writes `unknown`.
    func isForeign(to server: LogText) -> Bool {
        guard !serverID.isEmpty, serverID != "unknown" else { return false }
        // A longer id is cut in the header.
        return !server.bytes.starts(with: serverID.bytes) || serverID.count < min(server.count, Self.serverIDCapacity - 3)
    }

    static let magic = [UInt8]("ZM_REDO".utf8)
    private static let serverIDCapacity = 127

    /// Reads the header from the first bytes of a file.
    ///
    /// - Throws: `headerDamaged` for a wrong magic, a short file or a bad server id; `versionUnknown` for a future version.
    public init(bytes: [UInt8], file: String = "") throws(RedoLogError) {
        func damaged(_ offset: Int, _ why: String) -> RedoLogError {
            RedoLogError(
                .headerDamaged, doing: "reading the header of a redo log: \(why)", subject: "\(file), offset \(offset)",
                remedy: "Check that this is a redo log of a mail server and that it was copied whole.")
        }
        guard bytes.count >= Self.length else { throw damaged(bytes.count, "the file is shorter than 512 bytes") }
        guard Array(bytes[0..<7]) == Self.magic else { throw damaged(0, "it does not begin with ZM_REDO") }
        func integer(_ offset: Int, _ size: Int) -> UInt64 {
            bytes[offset..<offset + size].reduce(0) { $0 << 8 | UInt64($1) }
        }
        func int64(_ offset: Int) -> Int64 { Int64(bitPattern: integer(offset, 8)) }
        func int16(_ offset: Int) -> Int16 { Int16(bitPattern: UInt16(integer(offset, 2))) }

        openFlag = bytes[7]
        fileSize = int64(8)
        sequence = int64(16)
        let idLength = Int(Int8(bitPattern: bytes[24]))
        guard idLength >= 0 else { throw damaged(24, "the length of the server id is \(idLength)") }
        serverID = LogText(bytes: Array(bytes[25..<25 + idLength]))
        firstOperationTime = int64(152)
        lastOperationTime = int64(160)
        let written = FormatVersion(int16(168), int16(170))
        version = written == FormatVersion(0, 0) ? FormatVersion(1, 0) : written
        createTime = int64(172)
        paddingIsZero =
            bytes[25 + idLength..<152].allSatisfy { $0 == 0 } && bytes[180..<512].allSatisfy { $0 == 0 }
        guard version.isKnown else {
            throw RedoLogError(
                .versionUnknown, doing: "reading the header of a redo log of version \(version)",
                subject: "\(file), offset 168",
                remedy: "This program knows versions up to \(FormatVersion.highest); a newer one is needed.")
        }
    }

    /// The 512 bytes.
    public var bytes: [UInt8] {
        var out = Self.magic
        out.reserveCapacity(Self.length)
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.bigEndian) { out.append(contentsOf: $0) } }
        append(openFlag)
        append(fileSize)
        append(sequence)
        // A longer id is cut at a character boundary: a continuation byte never begins the part that is left away.
        var id = serverID.bytes
        if id.count > Self.serverIDCapacity {
            var cut = Self.serverIDCapacity
            while cut > 0 && id[cut] & 0xC0 == 0x80 { cut -= 1 }
            id.removeSubrange(cut...)
        }
        append(UInt8(id.count))
        out += id + [UInt8](repeating: 0, count: Self.serverIDCapacity - id.count)
        append(firstOperationTime)
        append(lastOperationTime)
        append(version.major)
        append(version.minor)
        append(createTime)
        out += [UInt8](repeating: 0, count: Self.length - out.count)
        return out
    }
}
