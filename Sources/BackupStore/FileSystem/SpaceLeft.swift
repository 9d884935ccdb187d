import Glibc
import SystemPackage

/// What a file system still has room for.
public struct SpaceLeft: Sendable, Hashable {
    /// Bytes that an ordinary user may still write.
    public var bytes: Int64
    /// Bytes that the file system has in all.
    public var totalBytes: Int64
    /// Files that can still be made; nil where the file system has no limit (btrfs).
    public var inodes: Int64?

    /// Asks the file system that holds a path: statvfs(3).
    ///
    /// - Throws: `inputOutput`.
    public init(on path: FilePath) throws {
        var status = statvfs()
        guard path.withPlatformString({ statvfs($0, &status) }) == 0 else {
            throw StoreError(
                .inputOutput, doing: "asking for free space", subject: path.string,
                remedy: "Check that the path exists and may be read",
                cause: Errno(rawValue: errno))
        }
        bytes = Int64(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
        totalBytes = Int64(
            clamping: UInt64(status.f_blocks).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
        inodes = status.f_files == 0 ? nil : Int64(clamping: UInt64(status.f_favail))
    }
}
