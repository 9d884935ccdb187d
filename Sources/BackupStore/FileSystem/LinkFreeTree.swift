import CShims
import Glibc
import SystemPackage

/// A folder below which no symbolic link is followed; the folder itself may be reached through some.
///
/// Whoever can write below the backup path (on a network share, on a copy) could otherwise turn a write or a read of ours to any
/// file of the machine. The kernel refuses links in the same call that opens (openat2, Linux 5.6 or later); where it cannot,
/// each part of the path is opened by itself.
final class LinkFreeTree: @unchecked Sendable {
    // Unchecked: `lock` guards `resolvedRoot`.

    /// What paths in the tree begin with; empty for the folder `/`.
    private let root: String
    private let asksKernel: Bool
    private let lock = Lock()
    private var resolvedRoot: String?

    init(_ root: FilePath, asksKernel: Bool = kernelRefusesLinks) {
        let text = root.lexicallyNormalized().string
        self.root = text == "/" ? "" : text
        self.asksKernel = asksKernel
    }

    /// Whether openat2(2) is there: old kernels lack it, and some containers forbid it.
    private static let kernelRefusesLinks: Bool = {
        let descriptor = zx_open_without_links("/", 0, zx_o_path | O_CLOEXEC, 0)
        if descriptor >= 0 { Glibc.close(descriptor) }
        return descriptor >= 0
    }()

    /// The part of a path below the root; nil for the root itself and for what lies elsewhere.
    private func relative(_ path: FilePath) -> Substring.UTF8View? {
        let text = path.string
        let rest = text.utf8.dropFirst(root.utf8.count)
        guard text.utf8.starts(with: root.utf8), rest.first == UInt8(ascii: "/"), rest.count > 1 else { return nil }
        return Substring(rest.dropFirst()).utf8
    }

    /// The root without links: resolved once, so that the same folder is meant from then on.
    private func resolved() throws -> String {
        try lock.locked {
            if let resolvedRoot { return resolvedRoot }
            guard let text = realpath(root.isEmpty ? "/" : root, nil) else { throw Errno(rawValue: errno) }
            defer { free(text) }
            let found = String(cString: text)
            resolvedRoot = found == "/" ? "" : found
            return resolvedRoot!
        }
    }

    /// Opens what lies below the root, close-on-exec; a link anywhere on the way is ELOOP.
    ///
    /// - Returns: nil where the path does not lie below the root.
    func open(_ path: FilePath, _ flags: Int32) throws -> Int32? {
        guard let relative = relative(path) else { return nil }
        let root = try resolved()
        if asksKernel {
            let whole = "\(root)/\(Substring(relative))"
            return try check { zx_open_without_links(whole, root.utf8.count, flags | O_CLOEXEC, 0o600) }
        }
        return try openEachPart(relative.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }, below: root, flags)
    }

    private func openEachPart(_ names: [String], below root: String, _ flags: Int32) throws -> Int32 {
        guard !names.contains(where: { $0.hasPrefix("..") }) else { throw Errno(rawValue: EXDEV) }
        var folder = try check { Glibc.open(root.isEmpty ? "/" : root, zx_o_path | O_DIRECTORY | O_CLOEXEC) }
        defer { Glibc.close(folder) }
        for name in names.dropLast() {
            let next = try Self.openPart(name, in: folder)
            Glibc.close(folder)
            folder = next
        }
        // With O_DIRECTORY a link would be told as something else than a link.
        if flags & O_DIRECTORY != 0 { Glibc.close(try Self.openPart(names.last!, in: folder)) }
        if flags & zx_o_path != 0 { return try Self.openPart(names.last!, in: folder) }
        return try check { openat(folder, names.last!, flags | O_NOFOLLOW | O_CLOEXEC, 0o600) }
    }

    /// Opens one part of a path as a place; ELOOP where it is a link.
    private static func openPart(_ name: String, in folder: Int32) throws -> Int32 {
        let part = try check { openat(folder, name, zx_o_path | O_NOFOLLOW | O_CLOEXEC) }
        var status = stat()
        guard fstat(part, &status) == 0, status.st_mode & S_IFMT != S_IFLNK else {
            Glibc.close(part)
            throw Errno.tooManySymbolicLinkLevels
        }
        return part
    }
}

/// The call's result, or the `Errno` it set; EINTR is tried again.
@discardableResult
func check<Result: SignedInteger>(_ call: () -> Result) throws -> Result {
    while true {
        let result = call()
        if result >= 0 { return result }
        if errno != EINTR { throw Errno(rawValue: errno) }
    }
}
