import CZlib
import Glibc
import SystemPackage

/// Files of a compressing volume: one gzip member each.
enum GzipFile {
    /// What a compressed file holds.
    static func content(of path: FilePath) throws -> [UInt8] {
        guard let input = gzopen(path.string, "rb") else { throw Files.failure("reading a blob", path) }
        defer { gzclose_r(input) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = gzread(input, &buffer, UInt32(buffer.count)), count != 0 {
            guard count > 0 else { throw SandboxError(.blobDamaged, doing: "reading \(path)", reason: "its gzip data is damaged") }
            bytes += buffer[..<Int(count)]
        }
        return bytes
    }

    /// Compresses a file into an open one, which stays open.
    static func compress(_ source: FilePath, to descriptor: CInt, _ target: FilePath) throws {
        let input = open(source.string, O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { throw Files.failure("reading a blob", source) }
        defer { close(input) }
        guard let output = gzdopen(dup(descriptor), "wb6") else { throw Files.failure("compressing a blob", target) }
        var isWritten = true
        try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            while isWritten, case let count = read(input, buffer.baseAddress, buffer.count), count != 0 {
                guard count > 0 else {
                    gzclose_w(output)
                    throw Files.failure("reading a blob", source)
                }
                isWritten = gzwrite(output, buffer.baseAddress, UInt32(count)) == count
            }
        }
        guard gzclose_w(output) == Z_OK, isWritten else { throw Files.failure("compressing a blob", target) }
    }
}
