import SystemPackage

/// The bytes of a body that is to be written to a log.
public enum BodySource: Sendable {
    /// In memory.
    case bytes([UInt8])
    /// A body in a log file, as it lies there.
    case log(LogFile, Body)
    /// A range of an open file.
    case file(FileDescriptor, offset: Int64, length: Int64)

    /// The number of bytes.
    public var length: Int64 {
        switch self {
        case .bytes(let bytes): Int64(bytes.count)
        case .log(_, let body): body.length
        case .file(_, _, let length): length
        }
    }

    /// Hands out the bytes in chunks.
    func stream(into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        switch self {
        case .bytes(let bytes):
            try bytes.withUnsafeBytes { if $0.count > 0 { try sink($0) } }
        case .log(let file, let body):
            try file.readBody(body, into: sink)
        case .file(let descriptor, let start, let length):
            let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
            defer { chunk.deallocate() }
            var offset = start
            while offset < start + length {
                let wanted = Int(min(Int64(chunk.count), start + length - offset))
                let count = try descriptor.read(
                    fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(rebasing: chunk[..<wanted]))
                guard count > 0 else {
                    throw RedoLogError(
                        .fileShrank, doing: "reading a body to be logged", subject: "offset \(offset)",
                        remedy: "The file is shorter than its caller said; try again.")
                }
                try sink(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
                offset += Int64(count)
            }
        }
    }
}
