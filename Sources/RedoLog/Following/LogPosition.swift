/// How far a log was followed, to go on there after a restart (R4).
///
/// A position names the state after everything handed out: records before `applied` were dealt with, and the start records of
/// transactions that are open there lie at or behind `oldestOpen`.
public struct LogPosition: Hashable, Sendable {
    /// The file's number in the series.
    public var sequence: Int64
    /// The creation time in the file's header, which tells it from another file of the same number. Milliseconds.
    public var createTime: Int64
    /// The offset behind the last record that was dealt with.
    public var applied: Int64
    /// The offset of the oldest start record without end; `applied` if there is none.
    public var oldestOpen: Int64
    /// Whether garbage was met before `applied` in this file.
    public var isUnproven: Bool
    /// A hash of the bytes right before `applied`, as hexadecimal digits.
    public var fingerprint: String

    /// A position by its parts.
    public init(
        sequence: Int64, createTime: Int64, applied: Int64, oldestOpen: Int64, isUnproven: Bool, fingerprint: String
    ) {
        self.sequence = sequence
        self.createTime = createTime
        self.applied = applied
        self.oldestOpen = oldestOpen
        self.isUnproven = isUnproven
        self.fingerprint = fingerprint
    }

    /// One line of JSON.
    public var json: String {
        "{\"sequence\":\(sequence),\"createTime\":\(createTime),\"applied\":\(applied),\"oldestOpen\":\(oldestOpen),"
            + "\"unproven\":\(isUnproven),\"fingerprint\":\"\(fingerprint)\"}"
    }

    /// Reads what `json` gives.
    ///
    /// - Throws: `positionUnreadable` for any other text.
    public init(json: String) throws(RedoLogError) {
        // The values are numbers, true or false, and hexadecimal digits: no text with commas, colons or escapes.
        var members: [Substring: Substring] = [:]
        let text = json.filter { $0 != " " && $0 != "\n" && $0 != "\"" }
        if text.first == "{" && text.last == "}" {
            for member in text.dropFirst().dropLast().split(separator: ",") {
                let parts = member.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                if parts.count == 2 { members[parts[0]] = parts[1] }
            }
        }
        guard
            let sequence = members["sequence"].flatMap({ Int64($0) }),
            let createTime = members["createTime"].flatMap({ Int64($0) }),
            let applied = members["applied"].flatMap({ Int64($0) }),
            let oldestOpen = members["oldestOpen"].flatMap({ Int64($0) }),
            let unproven = members["unproven"].flatMap({ Bool(String($0)) }),
            let fingerprint = members["fingerprint"],
            fingerprint.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
        else {
            throw RedoLogError(
                .positionUnreadable, doing: "reading a position in the redo log", subject: json,
                remedy: "Follow the log from its start; what was applied before is recognised.")
        }
        self.init(
            sequence: sequence, createTime: createTime, applied: applied, oldestOpen: oldestOpen, isUnproven: unproven,
            fingerprint: String(fingerprint))
    }

    /// The bytes before a position that its fingerprint is made from.
    static let fingerprintLength: Int64 = 1024

    /// The fingerprint of a place in a file; nil where the file ends before it.
    static func fingerprint(of file: LogFile, at applied: Int64) throws(RedoLogError) -> String? {
        let start = max(Int64(FileHeader.length), applied - fingerprintLength)
        let count = Int(max(0, applied - start))
        let bytes = try file.read(at: start, count: count)
        guard bytes.count == count else { return nil }
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update($0) }
        return hexadecimal(hash.finish().prefix(16))
    }
}
