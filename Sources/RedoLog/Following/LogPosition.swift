/// How far a log series was read: enough to go on exactly there, in another process and after rollovers (R4).
///
/// A position names its file by sequence number and creation time, and proves it by a fingerprint of the bytes before it.
public struct LogPosition: Hashable, Sendable {
    /// Sequence number of the file.
    public var sequence: Int64
    /// When the file was created, from its header. Milliseconds.
    public var createTime: Int64
    /// Offset after the last end record that was handed out.
    public var applied: Int64
    /// Offset of the oldest start record still open; nil when none is.
    public var oldestOpen: Int64?
    /// SHA-256, the first 16 bytes in hexadecimal, of the last 4,096 bytes of records before `applied`.
    public var fingerprint: String

    /// Bytes of records that the fingerprint covers at most.
    static let fingerprintLength: Int64 = 4096

    init(sequence: Int64, createTime: Int64, applied: Int64, oldestOpen: Int64?, fingerprint: String) {
        self.sequence = sequence
        self.createTime = createTime
        self.applied = applied
        self.oldestOpen = oldestOpen
        self.fingerprint = fingerprint
    }

    /// The position as a JSON object.
    public var json: String {
        "{\"sequence\":\(sequence),\"created\":\(createTime),\"applied\":\(applied),"
            + "\"open\":\(oldestOpen.map(String.init) ?? "null"),\"fingerprint\":\"\(fingerprint)\"}"
    }

    /// Reads what `json` gave.
    ///
    /// - Throws: `positionUnreadable` for any other text.
    public init(json text: String) throws(RedoLogError) {
        // The text is this type's own: members without nesting, and values without commas or colons.
        var members: [Substring: Substring] = [:]
        for member in text.drop(while: { $0 == "{" }).prefix(while: { $0 != "}" }).split(separator: ",") {
            let parts = member.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            members[parts[0].filter { $0 != "\"" && $0 != " " }[...]] = parts[1].filter { $0 != "\"" && $0 != " " }[...]
        }
        func integer(_ name: Substring) -> Int64? { members[name].flatMap { Int64($0) } }
        guard let sequence = integer("sequence"), let created = integer("created"), let applied = integer("applied"),
            let fingerprint = members["fingerprint"], applied >= Int64(FileHeader.length), members["open"] != nil
        else {
            throw RedoLogError(
                .positionUnreadable, doing: "reading a saved position of the redo log", subject: text,
                remedy: "The log has to be read from its start.")
        }
        self.init(
            sequence: sequence, createTime: created, applied: applied, oldestOpen: integer("open"),
            fingerprint: String(fingerprint))
    }
}

extension LogFile {
    /// The fingerprint of the records before an offset.
    ///
    /// - Returns: nil when the file does not reach that far.
    func fingerprint(before offset: Int64) throws(RedoLogError) -> String? {
        let start = max(Int64(FileHeader.length), offset - LogPosition.fingerprintLength)
        let bytes = try read(at: start, count: Int(offset - start))
        guard bytes.count == Int(offset - start) else { return nil }
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update($0) }
        return hexadecimal(hash.finish().prefix(16))
    }
}
