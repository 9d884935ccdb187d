import SystemPackage

/// A folder below `quarantine/` that takes what a mending moves away, and knows how to bring it back.
///
/// What is about to be moved is noted in `manifest.jsonl`, durably, before it is: a line of JSON a file.
struct Quarantine<Files: FileSystem> {
    static var manifest: String { "manifest.jsonl" }

    /// A line of the manifest.
    struct Entry {
        /// The file, relative to the backup path.
        var file: String
        /// Why it was moved.
        var reason: String
        /// Bytes of the file that took its place; nil where none did.
        var replacedBy: Int64?

        var json: JSONValue {
            var members: JSONObject = ["file": .string(file), "reason": .string(reason)]
            members["replaced_by"] = replacedBy.map { .int($0) }
            return .object(members)
        }

        init(file: String, reason: String, replacedBy: Int64? = nil) {
            (self.file, self.reason, self.replacedBy) = (file, reason, replacedBy)
        }

        init?(_ line: UnsafeRawBufferPointer) {
            guard let members = (try? JSONValue(json: line))?.object, let file = members["file"]?.string, Self.isSafe(file) else { return nil }
            self.init(file: file, reason: members["reason"]?.string ?? "", replacedBy: members["replaced_by"]?.int)
        }

        /// A manifest is a file like any other: no name in it may lead outside.
        private static func isSafe(_ file: String) -> Bool {
            let parts = file.split(separator: "/", omittingEmptySubsequences: false)
            return !file.hasPrefix("/") && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
        }
    }

    private let files: Files
    private let path: BackupPath
    /// Its name below `quarantine/`.
    let name: String
    private var folder: FilePath { path.quarantine.appending(name) }
    private var manifestEnd: Int64 = 0

    /// Makes a new one.
    /// - Parameter time: milliseconds since 1970; names it.
    init(_ files: Files, _ path: BackupPath, time: Int64) throws {
        (self.files, self.path) = (files, path)
        var stamp: [UInt8] = []
        appendTimestamp(time, to: &stamp)
        let text = String(decoding: stamp, as: UTF8.self).prefix(19).replacing(":", with: "-")
        try files.makeFolderIfMissing(path.quarantine)
        var (name, number) = (String(text), 1)
        while try !files.makeFolderIfMissing(path.quarantine.appending(name)) {
            number += 1
            name = "\(text)-\(number)"
        }
        self.name = name
        try files.syncFolder(path.quarantine)
        try files.syncFolder(path.root)
    }

    /// One that is there.
    init(_ files: Files, _ path: BackupPath, named name: String) { (self.files, self.path, self.name) = (files, path, name) }

    /// Moves a file, or a folder with all in it, away; false where it is gone already.
    @discardableResult
    mutating func move(_ file: String, because reason: String) throws -> Bool {
        let source = path.root.pushing(FilePath(file))
        guard try files.status(source) != nil else { return false }
        try note(Entry(file: file, reason: reason))
        try rename(source, to: try place(file))
        return true
    }

    /// Puts other bytes in a file's place; a copy of the file itself comes here, where there is one.
    ///
    /// Both are whole and durable before the new one takes the name: a crash leaves the old one there, or the new one.
    mutating func replace(_ file: String, by bytes: [UInt8], because reason: String) throws {
        let target = path.root.pushing(FilePath(file))
        let made = try place("new/" + file)
        try files.writeDurably(bytes, to: made)
        if let status = try files.status(target), let old = try files.readSmallFile(target, limit: Int(status.size)) {
            try note(Entry(file: file, reason: reason, replacedBy: Int64(bytes.count)))
            let kept = try place(file)
            try files.writeDurably(old, to: kept)
            try syncFolders(above: kept)
        }
        try files.makeFolders(target.removingLastComponent(), below: path.root)
        try rename(made, to: target)
    }

    private mutating func note(_ entry: Entry) throws {
        let manifest = try files.open(folder.appending(Self.manifest), .createOrUpdate)
        defer { manifest.close() }
        let line = Array((entry.json.json + "\n").utf8)
        try line.withUnsafeBytes { try manifest.write($0, at: manifestEnd) }
        manifestEnd += Int64(line.count)
        try manifest.sync()
        try files.syncFolder(folder)
    }

    /// Where a file comes to lie here.
    private func place(_ file: String) throws -> FilePath {
        let place = folder.pushing(FilePath(file))
        try files.makeFolders(place.removingLastComponent(), below: folder)
        return place
    }

    /// Moves, durably; folders on the way down to both names as well.
    private func rename(_ source: FilePath, to target: FilePath) throws {
        try files.rename(source, to: target)
        for end in [target, source] { try syncFolders(above: end) }
    }

    private func syncFolders(above file: FilePath) throws {
        var folder = file.removingLastComponent()
        while folder != path.root {
            try files.syncFolder(folder)
            folder.removeLastComponent()
        }
    }

    // MARK: Bringing back

    /// Brings everything back whose place is free, or has still what the mending put there.
    ///
    /// - Returns: what came back, and what did not, with the reason.
    func undo() throws -> (back: [String], left: [(file: String, reason: String)]) {
        var entries: [Entry] = []
        let manifest = try files.open(folder.appending(Self.manifest), .read)
        defer { manifest.close() }
        try manifest.forEachLine(limit: 1 << 20) { line in
            if !line.isOverlong, let entry = Entry(line.bytes) { entries.append(entry) }
        }
        var back: [String] = []
        var left: [(file: String, reason: String)] = []
        // The last one first: a file may have been moved more than once.
        for entry in entries.reversed() {
            let kept = folder.pushing(FilePath(entry.file))
            let target = path.root.pushing(FilePath(entry.file))
            guard try files.status(kept) != nil else { continue }  // It never came here, or is back.
            let present = try files.status(target)
            if let present, present.size != entry.replacedBy || present.isFolder {
                left.append((entry.file, "there is another file in its place, which has changed since"))
                continue
            }
            try files.makeFolders(target.removingLastComponent(), below: path.root)
            try rename(kept, to: target)
            back.append(entry.file)
        }
        return (back, left)
    }
}
