import CShims
import Glibc
import SystemPackage

/// An open redo log file: it stays readable after it was renamed or unlinked.
///
/// Every read says its offset, so that any number of readers on any threads can share the descriptor.
public final class LogFile: Sendable {
    /// The path under which the file was opened; the file may have another name by now.
    public let path: FilePath
    /// The descriptor, closed with the object.
    public let descriptor: FileDescriptor
    /// The file's identity on its device.
    public let identity: FileIdentity

    /// The device and inode: the same for every name of a file.
    public struct FileIdentity: Hashable, Sendable {
        /// `st_dev`
        public let device: UInt64
        /// `st_ino`
        public let inode: UInt64
    }

    /// Opens a file for reading.
    public init(_ path: FilePath) throws(RedoLogError) {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
        } catch {
            throw RedoLogError(error as? Errno ?? .ioError, doing: "opening a redo log", subject: path.string)
        }
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else {
            let reason = Errno(rawValue: errno)
            try? descriptor.close()  // Nothing was written through it.
            throw RedoLogError(reason, doing: "looking at a redo log", subject: path.string)
        }
        identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    deinit {
        try? descriptor.close()  // Opened for reading: a close that fails loses nothing.
    }

    /// The file's length now.
    public func size() throws(RedoLogError) -> Int64 {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else {
            throw RedoLogError(Errno(rawValue: errno), doing: "asking for the size of a redo log", subject: path.string)
        }
        return Int64(status.st_size)
    }

    /// The file's header as it is now.
    public func header() throws(RedoLogError) -> FileHeader {
        try FileHeader(bytes: try read(at: 0, count: FileHeader.length), file: path.string)
    }

    /// Reads up to `count` bytes; fewer only at the end of the file.
    public func read(at offset: Int64, count: Int) throws(RedoLogError) -> [UInt8] {
        var failure: RedoLogError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(RedoLogError) {
                filled = try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Fills the buffer from the file and returns the number of bytes; fewer than asked only at the end of the file.
    /// Interrupted reads are continued.
    public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(RedoLogError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = pread(
                descriptor.rawValue, buffer.baseAddress! + filled, buffer.count - filled, off_t(offset) + off_t(filled))
            if count > 0 {
                filled += count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw RedoLogError(
                    Errno(rawValue: errno), doing: "reading a redo log", subject: "\(path), offset \(offset + Int64(filled))")
            }
        }
        return filled
    }

    /// Hands out the bytes of a body in chunks of at most 64 KiB, as they are in the file (perhaps compressed).
    ///
    /// - Throws: `fileShrank` when the body does not lie wholly in the file; what `sink` throws.
    public func readBody(_ body: Body, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(65536, max(1, body.length))), alignment: 16)
        defer { chunk.deallocate() }
        var offset = body.offset
        while offset < body.end {
            let wanted = Int(min(Int64(chunk.count), body.end - offset))
            let count = try read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: chunk[..<wanted]))
            guard count > 0 else {
                throw RedoLogError(
                    .fileShrank, doing: "reading a body of \(body.length) bytes at \(body.offset)",
                    subject: "\(path), offset \(offset)",
                    remedy: "The mail server has cut the file; the affected mailbox has to be compared with the server.")
            }
            try sink(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
            offset += Int64(count)
        }
    }
}
