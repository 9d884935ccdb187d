import BackupStore
import BackupStoreTesting
import Foundation
import Glibc
import SystemPackage

@testable import RedoLog

/// The reader and the follower of redo logs, for any bytes behind a sound file header.
enum RedoLogFuzz {
    private static let header = FileHeader(openFlag: 1, sequence: 3, serverID: "server", createTime: 1_780_000_000_000).bytes

    private static func hasHeader(_ bytes: [UInt8]) -> Bool {
        bytes.count > FileHeader.length && bytes.starts(with: header.prefix(6))
    }

    /// The steps cover the file without a hole; whatever is decoded can be encoded and described.
    static func read(_ bytes: [UInt8]) throws {
        let path = try MemoryFile.path(hasHeader(bytes) ? bytes : header + bytes)
        defer { path.close() }
        let file = try LogFile(path.path)
        let size = try file.size()
        for isGrowing in [false, true] {
            let reader = try RecordReader(file: file, isGrowing: isGrowing)
            var expected = Int64(FileHeader.length)
            reading: while true {
                let range: (offset: Int64, length: Int64)
                switch try reader.next() {
                case .record(let record):
                    range = (record.offset, record.length)
                    _ = try record.header.encode(record.operation)
                case .garbage(let offset, let length), .incompleteTail(let offset, let length): range = (offset, length)
                case .end: break reading
                }
                guard range.offset == expected, range.length > 0 else {
                    throw FuzzFailure("a step at \(range.offset) of \(range.length) bytes follows \(expected)")
                }
                expected += range.length
            }
            // A growing file's incomplete record is waited for.
            guard expected == size || isGrowing && expected < size else {
                throw FuzzFailure("the steps end at \(expected) of \(size)")
            }
        }
        try Description(of: file).write { _ in }
        _ = try Verification(isStrict: true).run([path.path])
    }

    /// However the file grows and wherever the follower is made anew, it hands out what one look at the whole file does, up to the
    /// first damage: where reading goes on behind that depends on how much is there (section 4.4), and all of it is unproven.
    static func follow(_ bytes: [UInt8]) throws {
        let folder = FilePath("\(MemoryFile.folder)/zxbackup-fuzz-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
        try PosixFileSystem().makeFolder(folder)
        defer { FolderTree.remove(folder) }
        let location = LogLocation(log: folder.appending("redo.log"), archive: folder.appending("archive"))
        let whole = hasHeader(bytes) ? Array(bytes.dropFirst(FileHeader.length)) : bytes
        // The first bytes say how it grows.
        let plan = whole.prefix(4).map { Int($0) }
        let content = Array(whole.dropFirst(4))
        let file = try FileDescriptor.open(location.log, .writeOnly, options: [.create], permissions: .ownerReadWrite)
        defer { try? file.close() }
        _ = try file.writeAll(header)
        var follower = try LogFollower(location: location, usesNotification: false)
        var grown: [String] = []
        var isSound = true
        var offset = 0
        var step = 0
        while offset < content.count {
            let length = min(content.count - offset, 1 + (step < plan.count ? plan[step] * 8 : content.count))
            _ = try file.writeAll(content[offset..<offset + length])
            offset += length
            step += 1
            let more = try drain(follower)
            if isSound { grown += more.transactions }
            isSound = isSound && more.isSound
            if length % 2 == 0 {
                follower = try LogFollower(location: location, from: follower.position(), usesNotification: false)
            }
        }
        let straight = try drain(LogFollower(location: location, usesNotification: false))
        let isSame = zip(grown, straight.transactions).allSatisfy { $0 == $1 }
        guard isSame, grown.count == straight.transactions.count || !isSound || !straight.isSound else {
            throw FuzzFailure("grown: \(grown), straight: \(straight)")
        }
    }

    /// What took effect up to the first damage, and whether there was none.
    private static func drain(_ follower: LogFollower) throws -> (transactions: [String], isSound: Bool) {
        var all: [String] = []
        var isSound = true
        while true {
            switch try follower.next() {
            case .caughtUp: return (all, isSound)
            case .transaction(let transaction):
                if isSound { all.append("\(transaction.id) \(transaction.start.header.code)") }
            case .repeatedEnd(let id, _, let committed):
                if isSound { all.append("\(id) \(committed)") }
            case .notice(let notice): isSound = isSound && notice.kind != .garbage
            case .lostEnd: continue
            }
        }
    }
}

/// Bytes that have a path, in memory where there is a file system for that.
struct MemoryFile {
    static let folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()

    let descriptor: Int32
    var path: FilePath { FilePath("/proc/self/fd/\(descriptor)") }

    static func path(_ bytes: [UInt8]) throws -> MemoryFile {
        var name = Array("\(folder)/zxbackup-fuzz-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        unlink(name)
        try FileDescriptor(rawValue: descriptor).writeAll(bytes)
        return MemoryFile(descriptor: descriptor)
    }

    func close() { Glibc.close(descriptor) }
}
