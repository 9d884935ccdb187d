import SystemPackage

/// Reads log files whole and says what is wrong with them.
///
/// Every field of every record is decoded; bodies are read only for their digests. Memory does not depend on the size of the
/// files, except that strict checks keep the paths of shared bodies.
public struct Verification {
    /// Whether the invariants of section 9.2 are asserted too.
    public var isStrict: Bool
    /// Whether bodies are read and compared with the digests in their records.
    public var checksDigests: Bool

    /// A verification; by default digests are checked and invariants are not.
    public init(isStrict: Bool = false, checksDigests: Bool = true) {
        self.isStrict = isStrict
        self.checksDigests = checksDigests
    }

    /// The log files in a directory in the order of their series: archived files, the current log last.
    public static func files(in directory: FilePath) throws(RedoLogError) -> [FilePath] {
        let location = LogLocation(log: directory.appending("redo.log"), archive: directory)
        var files = try location.archivedFiles().map(\.path)
        // A server's own layout has the archive in a directory beside the log.
        if files.isEmpty {
            files = try LogLocation(log: location.log, archive: directory.appending("archive")).archivedFiles().map(\.path)
        }
        if let log = try? LogFile(location.log) {  // Not there: nothing to verify.
            files.append(log.path)
        }
        return files
    }

    /// Reads the files, one series in order.
    ///
    /// - Throws: `fileAccess` when a file cannot be read.
    public func run(_ files: [FilePath]) throws(RedoLogError) -> VerificationReport {
        let clock = ContinuousClock()
        let began = clock.now
        var report = VerificationReport()
        var assembler = TransactionAssembler()
        var invariants = isStrict ? Invariants() : nil
        var digests = checksDigests ? DigestCheck() : nil
        for path in files {
            try verify(path, &report, &assembler, &invariants, &digests)
        }
        report.openCount = assembler.open.count
        report.open = assembler.open.prefix(VerificationReport.problemLimit).map(\.start.header)
        report.duration = clock.now - began
        return report
    }

    private func verify(
        _ path: FilePath, _ report: inout VerificationReport, _ assembler: inout TransactionAssembler,
        _ invariants: inout Invariants?, _ digests: inout DigestCheck?
    ) throws(RedoLogError) {
        let file = try LogFile(path)
        let size = try file.size()
        report.files += 1
        report.bytes += size
        let header: FileHeader
        do {
            header = try file.header()
        } catch {
            guard error.code == .headerDamaged || error.code == .versionUnknown else { throw error }
            report.note(.header, path, 0, error.doing)
            return
        }
        let reader = try RecordReader(file: file, end: size)
        if invariants != nil { invariants!.begin(file, header, size: size, &report) }
        // Indexed by code: a dictionary for every record would cost more than decoding it.
        var counts = [Int64](repeating: 0, count: 100)
        reading: while true {
            switch try reader.next() {
            case .record(let record):
                counts[Int(record.header.code.rawValue)] += 1
                if digests != nil { try digests!.check(record, in: file, &report) }
                if invariants != nil { try invariants!.check(record, in: file, assembler, &report) }
                let outcome = assembler.feed(record, in: file, isUnproven: reader.hasSeenGarbage)
                if case .repeatedEnd = outcome { report.repeatedEnds += 1 }
                if invariants != nil { invariants!.note(outcome, record, in: file, &report) }
            case .garbage(let offset, let length):
                report.note(.garbage, path, offset, "\(length) bytes are no record")
            case .incompleteTail(let offset, let length):
                report.note(.incompleteTail, path, offset, "the last \(length) bytes are the beginning of a record")
            case .end: break reading
            }
        }
        for (code, count) in counts.enumerated() where count > 0 {
            report.counts[OperationCode(rawValue: Int32(code)), default: 0] += count
            report.records += count
        }
        if invariants != nil { invariants!.end(assembler, &report) }
    }
}
