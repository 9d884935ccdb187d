import BackupCore
import Glibc
import RedoLog
import SystemPackage

/// The redo log as files: a current log with a 512-byte header, rolled over into an archive.
final class FileOperationLog: OperationLog {
    private let location: LogLocation
    private let options: SandboxServer.Options
    private let serverID: String
    private var descriptor: CInt = -1
    private var header: FileHeader
    private var size: Int64 = 512
    private var sizeAfterRollover: Int64 = 512
    private var counter: Int32 = 0
    private let started: Int32
    private var open: [TransactionID: (code: OperationCode, mailbox: Int64)] = [:]

    init(location: LogLocation, serverID: String, options: SandboxServer.Options) throws {
        self.location = location
        self.options = options
        self.serverID = serverID
        let now = options.clock()
        started = Int32(now / 1000)
        header = FileHeader(
            openFlag: 1, fileSize: 0, sequence: 0, serverID: LogText(serverID), firstOperationTime: 0, lastOperationTime: 0,
            version: FormatVersion(1, 42), createTime: now)
        let descriptor = Glibc.open(location.log.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Files.failure("opening the redo log", location.log) }
        self.descriptor = descriptor
        let length = Int64(lseek(descriptor, 0, SEEK_END))
        if length >= 512 {
            var bytes = [UInt8](repeating: 0, count: 512)
            guard pread(descriptor, &bytes, 512, 0) == 512 else { throw Files.failure("reading the redo log", location.log) }
            header = try FileHeader(bytes: bytes)
            header.openFlag = 1
            size = length
        }
        try writeHeader()
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    func newTransaction() -> TransactionID {
        counter += 1
        return TransactionID(time: started, counter: counter)
    }

    func start(
        _ operation: Operation, transaction: TransactionID, mailbox: Int64, change: Int64, timestamp: Int64, body: LoggedBody?
    ) throws {
        open[transaction] = (operation.code, mailbox)
        let header = RecordHeader(
            version: FormatVersion(1, 42), code: operation.code, timestamp: timestamp, changeID: Int32(change), changeConstraint: 0,
            transaction: transaction, mailboxID: mailbox)
        let record = try header.encode(operation)
        try note(timestamp)
        var position = 0
        for (index, _) in record.bodies {
            try append(Array(record.bytes[position..<index]))
            position = index
            switch body {
            case .bytes(let bytes): try append(bytes)
            case .file(let path, _): try append(try Files.read(path))
            case nil: break
            }
        }
        try append(Array(record.bytes[position...]))
        if options.durability == .full, fdatasync(descriptor) != 0 { throw Files.failure("syncing the redo log", location.log) }
    }

    func commit(_ transaction: TransactionID, timestamp: Int64) throws { try end(transaction, timestamp) { .commitTxn($0) } }

    func abort(_ transaction: TransactionID, timestamp: Int64) throws { try end(transaction, timestamp) { .abortTxn($0) } }

    private func end(_ transaction: TransactionID, _ timestamp: Int64, _ operation: (OperationCode) -> Operation) throws {
        guard let start = open.removeValue(forKey: transaction) else { return }
        let operation = operation(start.code)
        let header = RecordHeader(
            version: FormatVersion(1, 42), code: operation.code, timestamp: timestamp, changeID: -1, changeConstraint: 0,
            transaction: transaction, mailboxID: start.mailbox)
        try note(timestamp)
        try append(header.encode(operation).bytes)
        if let limit = options.rolloverSize, size >= limit, size > sizeAfterRollover, open.isEmpty { try rollOver() }
    }

    private func note(_ timestamp: Int64) throws {
        if size == 512 {
            header.firstOperationTime = timestamp
            try writeHeader()
        }
        header.lastOperationTime = max(header.lastOperationTime, timestamp)
    }

    private func append(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(size)) }
            guard written > 0 else { throw Files.failure("writing the redo log", location.log) }
            done += written
            size += Int64(written)
        }
    }

    private func writeHeader() throws {
        let bytes = header.bytes
        guard bytes.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, 512, 0) }) == 512 else {
            throw Files.failure("writing the redo log's header", location.log)
        }
    }

    private func closeFile() throws {
        header.openFlag = 0
        header.fileSize = size
        try writeHeader()
        fsync(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
    }

    func rollOver() throws {
        guard size > 512 else { return }
        let now = options.clock()
        try closeFile()
        let name = "redo-\(Self.stamp(now))-seq\(header.sequence).log"
        if options.archivesLog {
            guard rename(location.log.string, location.archive.appending(name).string) == 0 else {
                throw Files.failure("archiving the redo log", location.log)
            }
        } else {
            unlink(location.log.string)
        }
        header = FileHeader(
            openFlag: 1, fileSize: 0, sequence: header.sequence + 1, serverID: LogText(serverID), firstOperationTime: 0,
            lastOperationTime: 0, version: FormatVersion(1, 42), createTime: now)
        size = 512
        descriptor = Glibc.open(location.log.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Files.failure("opening the redo log", location.log) }
        try writeHeader()
    }

    func close(rollingOver: Bool) throws {
        if rollingOver { try rollOver() }
        try closeFile()
    }

    private static func stamp(_ now: Int64) -> String {
        let text = SandboxServer.generalizedTime(now)
        let millis = "\(now % 1000)"
        return "\(text.prefix(8)).\(text.dropFirst(8).prefix(6))." + String(repeating: "0", count: 3 - millis.count) + millis
    }
}
