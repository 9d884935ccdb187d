import BackupCore
import Glibc
import SystemPackage

/// The files of a message volume: links to their places, removal.
///
/// Not thread-safe: the server's lock covers it.
struct BlobVolume {
    let volume: Volume
    private var made: Set<String> = []

    init(volume: Volume) { self.volume = volume }

    /// Gives an incoming blob its place. A file that is already there becomes `.bak`, as the real server does.
    mutating func link(_ source: FilePath, mailbox: Int64, item: Int64, modContent: Int64) throws -> FilePath {
        let folder = volume.folder(mailbox: mailbox, item: item)
        if made.insert(folder.string).inserted { try Files.makeFolders(folder) }
        let target = folder.appending("\(item)-\(modContent).msg")
        while Glibc.link(source.string, target.string) != 0 {
            if errno == EXDEV {
                try Files.copy(source, to: target)
                break
            }
            guard errno == EEXIST, rename(target.string, target.string + ".bak") == 0 else {
                throw Files.failure("linking a blob", target)
            }
        }
        return target
    }

    /// Removes a file; one that is gone already is no error.
    func remove(_ path: FilePath) throws {
        guard unlink(path.string) == 0 || errno == ENOENT else { throw Files.failure("removing a blob", path) }
    }
}

/// Small file operations, with errors that name the file.
enum Files {
    static func failure(_ doing: String, _ path: FilePath) -> SandboxError {
        SandboxError(.fileFailed, doing: "\(doing) (\(path))", reason: String(cString: strerror(errno)))
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, _ path: FilePath) throws {
        var rest = bytes
        while rest.count > 0 {
            let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                throw failure("writing a file", path)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// Copies a file that cannot be linked, such as one of another file system.
    static func copy(_ source: FilePath, to target: FilePath) throws {
        let input = open(source.string, O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { throw failure("reading a file", source) }
        defer { close(input) }
        let output = open(target.string, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw failure("copying a file", target) }
        defer { close(output) }
        while case let count = sendfile(output, input, nil, 1 << 20), count != 0 {
            guard count > 0 else {
                unlink(target.string)
                throw failure("copying a file", target)
            }
        }
    }

    /// The length of a file in bytes.
    static func length(of path: FilePath) throws -> Int64 {
        var status = stat()
        guard stat(path.string, &status) == 0 else { throw failure("reading a file's length", path) }
        return Int64(status.st_size)
    }

    /// Creates a folder and those above it.
    static func makeFolders(_ path: FilePath) throws {
        if mkdir(path.string, 0o700) == 0 || errno == EEXIST { return }
        let above = path.removingLastComponent()
        guard errno == ENOENT, !above.isEmpty, above != path else { throw failure("creating a folder", path) }
        try makeFolders(above)
        guard mkdir(path.string, 0o700) == 0 || errno == EEXIST else { throw failure("creating a folder", path) }
    }

    /// Removes a folder with everything in it; what cannot be removed stays, since nothing refers to it any more.
    static func removeTree(_ path: FilePath) {
        for name in names(in: path) {
            let child = path.appending(name)
            if unlink(child.string) != 0, errno == EISDIR || errno == EPERM { removeTree(child) }
        }
        rmdir(path.string)
    }

    /// The names in a folder, sorted; none where it cannot be read.
    static func names(in path: FilePath) -> [String] {
        guard let folder = opendir(path.string) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// A whole small file.
    static func read(_ path: FilePath) throws -> [UInt8] {
        let descriptor = open(path.string, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("reading a file", path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("reading a file", path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }
}
