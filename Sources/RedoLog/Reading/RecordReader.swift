/// Reads the records of a file in order, stepping over damage as section 4.4 of the format tells.
///
/// Nothing in the file is trusted: no length, no count, no text. Memory is bounded by one window of 256 KiB and the values of
/// one record. One reader is for one thread.
public final class RecordReader {
    /// What comes next in a file.
    public enum Step: Sendable {
        /// A record.
        case record(Record)
        /// Bytes that are no record; what follows in this file is not to be trusted blindly.
        case garbage(offset: Int64, length: Int64)
        /// A record that is cut by the end of the file; not damage: in a live file the rest comes later.
        case incompleteTail(offset: Int64, length: Int64)
        /// The end of the file.
        case end
    }

    /// The file being read.
    public let file: LogFile
    /// Where the next step begins.
    public private(set) var offset: Int64
    /// Nothing at or beyond this offset is looked at.
    public private(set) var end: Int64
    /// Whether there was garbage before `offset`.
    public private(set) var hasSeenGarbage = false

    private let dialect: Dialect?
    private let isGrowing: Bool
    private let window: UnsafeMutableRawBufferPointer
    private var fields: FieldReader
    private var isAfterGap = false
    private var hasReportedTail = false
    /// What was found behind garbage and is handed out next.
    private var pending: Step?

    static let windowSize = 256 << 10

    /// A reader of one file.
    ///
    /// - Parameters:
    ///   - offset: the start of a record.
    ///   - end: where to stop; the file's length by default.
    ///   - isGrowing: a server may be writing. Then what could still change by more bytes is an incomplete tail: garbage up to the
    ///     end, and records whose extent depends on what follows them.
    ///   - dialect: whose layout of an ambiguous code is tried first.
    public init(
        file: LogFile, from offset: Int64 = Int64(FileHeader.length), end: Int64? = nil, isGrowing: Bool = false,
        dialect: Dialect? = nil
    ) throws(RedoLogError) {
        self.file = file
        self.offset = offset
        self.isGrowing = isGrowing
        self.dialect = dialect
        let limit = if let end { end } else { try file.size() }
        self.end = limit
        window = .allocate(byteCount: Self.windowSize, alignment: 16)
        fields = FieldReader(file: file, offset: offset, end: limit, window: window)
    }

    deinit { window.deallocate() }

    /// The file is longer now: goes on where the last complete record ended.
    public func extend(to newEnd: Int64) {
        guard newEnd > end else { return }
        end = newEnd
        fields.end = newEnd
        // Bytes behind the last record may have been cut off and written anew.
        fields.seek(to: offset)
        fields.forgetWindow()
        hasReportedTail = false
    }

    /// Reads on from the end of the last step.
    ///
    /// - Throws: `fileAccess` when the file cannot be read.
    public func next() throws(RedoLogError) -> Step {
        if let step = pending {
            pending = nil
            return advance(step)
        }
        guard offset < end, !hasReportedTail else { return .end }
        fields.seek(to: offset)
        do throws(ReadFailure) {
            return advance(.record(try readRecord(keepsValues: true)))
        } catch {
            switch error {
            case .file(let error): throw error
            case .incomplete: return advance(.incompleteTail(offset: offset, length: end - offset))
            case .damage: return advance(try resynchronise())
            }
        }
    }

    private func advance(_ step: Step) -> Step {
        switch step {
        case .record(let record):
            offset = record.end
            isAfterGap = false
        case .garbage(let start, let length):
            offset = start + length
            hasSeenGarbage = true
            isAfterGap = true
        case .incompleteTail: hasReportedTail = true
        case .end: break
        }
        return step
    }

    /// Decodes the record at the position of `fields`.
    @inline(__always)
    private func readRecord(keepsValues: Bool) throws(ReadFailure) -> Record {
        let start = fields.offset
        fields.keepsValues = keepsValues
        let header = try fields.recordHeader()
        let payload = fields.offset
        let operation: Operation
        switch header.code {
        case .createMountpoint: operation = try readMountpoint(at: payload)
        case .createVolume: operation = try readVolume(at: payload)
        case .setRetentionPolicy: operation = try readRetentionPolicy(at: payload)
        default:
            if let known = try Operation.read(header.code, from: &fields) {
                operation = known
            } else {
                let next = try fields.findPlausibleHeader(from: payload)
                if next == nil && isGrowing { throw .incomplete }
                let payloadEnd = next ?? end
                fields.seek(to: payloadEnd)
                operation = .opaque(header.code, bytes: Body(offset: payload, length: payloadEnd - payload))
            }
        }
        return Record(
            offset: start, length: fields.offset - start, header: header, operation: operation, afterGap: isAfterGap)
    }

    // MARK: - Codes with several layouts (section 6.3)

    /// The outcome of trying one layout.
    private enum Trial {
        case fits(Operation)
        case runsOut
        case fails
    }

    private func readMountpoint(at payload: Int64) throws(ReadFailure) -> Operation {
        try firstFit(
            try attempt(payload) { (f) throws(ReadFailure) in .createMountpoint(try Operation.payload(&f)) },
            { () throws(ReadFailure) in
                try self.attempt(payload) { (f) throws(ReadFailure) in .createLink(try Operation.payload(&f)) }
            },
            { () throws(ReadFailure) in
                try self.attempt(payload) { (f) throws(ReadFailure) in .createFileSharedWithMe(try Operation.payload(&f)) }
            }, payload)
    }

    private func readVolume(at payload: Int64) throws(ReadFailure) -> Operation {
        func read(_ storeType: Int16?) throws(ReadFailure) -> Trial {
            try attempt(payload) { (f) throws(ReadFailure) in
                var volume = CreateVolume { $0.storeType = storeType }
                try volume.transfer(&f)
                return .createVolume(volume)
            }
        }
        let (first, second): (Int16?, Int16?) = dialect == .carbonio ? (nil, 1) : (1, nil)
        return try firstFit(
            try read(first), { () throws(ReadFailure) in try read(second) }, { () throws(ReadFailure) in .fails }, payload)
    }

    private func readRetentionPolicy(at payload: Int64) throws(ReadFailure) -> Operation {
        func read(_ keep: [RetentionPolicy]?) throws(ReadFailure) -> Trial {
            try attempt(payload) { (f) throws(ReadFailure) in
                var policy = SetRetentionPolicy { $0.keep = keep }
                try policy.transfer(&f)
                return .setRetentionPolicy(policy)
            }
        }
        let (first, second): ([RetentionPolicy]?, [RetentionPolicy]?) = dialect == .carbonio ? (nil, []) : ([], nil)
        return try firstFit(
            try read(first), { () throws(ReadFailure) in try read(second) }, { () throws(ReadFailure) in .fails }, payload)
    }

    /// Takes the first layout that fits; leaves `fields` behind it.
    private func firstFit(
        _ first: Trial, _ second: () throws(ReadFailure) -> Trial, _ third: () throws(ReadFailure) -> Trial, _ payload: Int64
    ) throws(ReadFailure) -> Operation {
        if case .fits(let operation) = first { return operation }
        let secondTrial = try second()
        if case .fits(let operation) = secondTrial { return operation }
        let thirdTrial = try third()
        if case .fits(let operation) = thirdTrial { return operation }
        for trial in [first, secondTrial, thirdTrial] {
            if case .runsOut = trial { throw .incomplete }
        }
        throw .damage(payload, "no known layout of this operation fits")
    }

    private func attempt(
        _ payload: Int64, _ read: (inout FieldReader) throws(ReadFailure) -> Operation
    ) throws(ReadFailure) -> Trial {
        fields.seek(to: payload)
        do throws(ReadFailure) {
            let operation = try read(&fields)
            let reached = fields.offset
            // More bytes could still show that another layout was meant.
            if isGrowing && end - reached < Int64(RecordHeader.plausibleLength) { return .runsOut }
            let fits = try fields.isEndOrPlausible(at: reached)
            fields.seek(to: reached)
            return fits ? .fits(operation) : .fails
        } catch {
            switch error {
            case .incomplete: return .runsOut
            case .damage: return .fails
            case .file: throw error
            }
        }
    }

    // MARK: - Damage (section 4.4, rule 4)

    /// Looks for the first later offset at which a record decodes completely.
    private func resynchronise() throws(RedoLogError) -> Step {
        let start = offset
        var firstCut: Int64?
        var candidate = start + 1
        do throws(ReadFailure) {
            while let found = try fields.findPlausibleHeader(from: candidate) {
                candidate = found + 1
                fields.seek(to: found)
                do throws(ReadFailure) {
                    _ = try readRecord(keepsValues: false)
                } catch {
                    switch error {
                    case .incomplete: firstCut = firstCut ?? found
                    case .damage: break
                    case .file: throw error
                    }
                    continue
                }
                return .garbage(offset: start, length: found - start)
            }
        } catch {
            if case .file(let error) = error { throw error }
            // The file became shorter while it was searched; what is left is looked at again with the next end.
        }
        if isGrowing { return .incompleteTail(offset: start, length: end - start) }
        guard let firstCut else { return .garbage(offset: start, length: end - start) }
        pending = .incompleteTail(offset: firstCut, length: end - firstCut)
        return .garbage(offset: start, length: firstCut - start)
    }
}

extension FieldReader {
    /// Reads the fixed part of a record, field by field.
    @inline(__always)
    mutating func recordHeader() throws(ReadFailure) -> RecordHeader {
        let start = offset
        guard try expect(RecordHeader.magic) else { throw .damage(start, "the magic of a record") }
        version = FormatVersion(try int16(), try int16())
        guard version.isKnown else { throw .damage(start + 6, "the version of a record") }
        let code = OperationCode(rawValue: try int32())
        guard code.isPlausible else { throw .damage(start + 10, "the operation code") }
        return RecordHeader(
            version: version, code: code, timestamp: try int64(), changeID: try int32(), changeConstraint: try int32(),
            transaction: try transaction(), mailboxID: version >= .v1_26 ? try int64() : Int64(try int32()))
    }

    /// Whether a record can follow here: the end of the file, a plausible header, or the beginning of a magic before the end.
    mutating func isEndOrPlausible(at target: Int64) throws(ReadFailure) -> Bool {
        seek(to: target)
        let left = remaining
        if left < Int64(RecordHeader.magic.count) {
            for index in 0..<Int(left) where UInt8(bitPattern: try int8()) != RecordHeader.magic[index] { return false }
            return true
        }
        guard try expect(RecordHeader.magic) else { return false }
        if left < Int64(RecordHeader.plausibleLength) { return true }
        return try isPlausibleRest()
    }

    /// Whether version and code, which come next, can be a record's.
    private mutating func isPlausibleRest() throws(ReadFailure) -> Bool {
        let version = FormatVersion(try int16(), try int16())
        let code = OperationCode(rawValue: try int32())
        return version.isKnown && code.isPlausible
    }

    /// The first offset at or behind `start` with a magic and a plausible version and code, or with a magic that the end
    /// follows too soon to tell.
    mutating func findPlausibleHeader(from start: Int64) throws(ReadFailure) -> Int64? {
        var start = start
        while let found = try find(RecordHeader.magic, from: start) {
            seek(to: found + Int64(RecordHeader.magic.count))
            if remaining < Int64(RecordHeader.plausibleLength - RecordHeader.magic.count) { return found }
            if try isPlausibleRest() { return found }
            start = found + 1
        }
        return nil
    }
}
