import BackupStore
import SystemPackage

/// Damages of a small backup path, each mended: what is left damaged must be named, nothing may be read that was never written, and
/// what is lost must mark its account. What was moved away, brought back, must be what it was.
public struct Mendings: Sendable {
    /// What was tried and came of it.
    public struct Report: Sendable {
        /// Damages.
        public var damages = 0
        /// Of these the ones that a check finds nothing wrong with.
        public var withoutEffect = 0
        /// Those with which the path cannot be opened; each was refused with a reason.
        public var refused = 0
        /// Those after whose mending a check finds no damage.
        public var mended = 0
        /// Those of which something is left, and named: a content that is nowhere.
        public var named = 0
        /// What should not be.
        public var broken: [String] = []

        /// An empty report.
        public init() {}
    }

    /// A folder for indexes.
    public let folder: FilePath

    /// - Parameter folder: where indexes are kept; best in memory.
    public init(folder: FilePath) { self.folder = folder }

    /// Mends damages chosen at random.
    public func run(damages count: Int, seed: UInt64, progress: (Report) -> Void = { _ in }) throws -> Report {
        let place = folder.appending("mendings")
        try PosixFileSystem().makeFolder(place)
        defer { FolderTree.remove(place) }
        let sample = try FlipSample(place)
        let all = try FlipTrials(sample).damages(smallFile: 0)
        let sound = try StoreImage(sample.path, sample.disk)
        var generator = SeededGenerator(seed: seed)
        var report = Report()
        for _ in 0..<count {
            // Each file as often as any other, however long it is.
            let (file, damages) = all.randomElement(using: &generator)!
            let damage = damages.randomElement(using: &generator)!
            report.damages += 1
            do {
                try mend(damage, of: file, sample, sound, &report)
            } catch {
                report.broken.append("\(file), \(damage): \(error)")
            }
            progress(report)
        }
        return report
    }

    private func mend(
        _ damage: FlipDamage, of file: String, _ sample: FlipSample, _ sound: StoreImage, _ report: inout Report
    ) throws {
        let disk = sample.disk.afterCrash(.everything)
        disk.keepsTrace = false
        let altered = damage.applied(to: sample.files[file]!)
        try sample.placeIndex(file == FlipSample.index ? altered : sample.files[FlipSample.index]!)
        if file != FlipSample.index {
            if let altered { disk.damage(file) { $0 = altered } } else { disk.vanish(file) }
        }
        let writer: FileStoreWriter<SimulatedFileSystem>
        let found: CheckReport
        do {
            guard !(try check(sample, disk)).findings.isEmpty else { return report.withoutEffect += 1 }
            writer = try FileStoreWriter(opening: sample.path, serverID: "server-1", files: disk)
            try writer.checkpoint()
            found = try check(sample, disk)
        } catch is StoreError {
            return report.refused += 1
        }
        let mended = try writer.mend(found.findings)
        try writer.close()
        let left = try check(sample, disk)
        let image = try StoreImage(sample.path, disk)
        func broken(_ what: String) { report.broken.append("\(file), \(damage): \(what)") }
        if let invented = image.invented(besides: sound) { return broken("read but never written: \(invented)") }
        let lost = sound.states.keys.filter { image.states[$0] == nil }
        // Of directory entries there is no account to mark; the next look at the directory writes them.
        let silent = lost.filter { name in
            name.contains("account ") && !mended.doubted.contains { name.contains($0) }
                && !image.values.contains {
                    $0.key.hasPrefix("marks of") && $0.value.contains("gone from the backup path") && name.contains($0.key.dropFirst(9))
                }
        }
        if let silent = silent.first { return broken("\(silent) is lost, and nothing says so: \(mended) of \(found.findings)") }
        let unnamed = left.findings.filter { finding in
            finding.severity == .damage && finding.kind != .blobMissing && !mended.unmended.contains { $0.kind == finding.kind }
        }
        if let unnamed = unnamed.first { return broken("left, and not named: \(unnamed)") }
        if left.isDamaged { report.named += 1 } else { report.mended += 1 }
        try undo(mended, sample, disk, altered, file, broken)
    }

    /// What was moved away comes back as it was.
    private func undo(
        _ mended: MendReport, _ sample: FlipSample, _ disk: SimulatedFileSystem, _ altered: [UInt8]?, _ file: String, _ broken: (String) -> Void
    ) throws {
        guard let quarantine = mended.quarantine, mended.moved.contains(file), let altered else { return }
        let writer = try FileStoreWriter(opening: sample.path, serverID: "server-1", files: disk)
        let (back, left) = try writer.undoMending(String(quarantine.dropFirst("quarantine/".count)))
        try writer.close()
        guard back.contains(file) else {
            if !left.contains(where: { $0.file == file }) { broken("neither brought back nor named: \(file)") }
            return
        }
        // A writer that opens the path repairs what a crash can have left; what is damage stays.
        if disk.contents()[file] != altered, try check(sample, disk).findings.isEmpty { broken("brought back as something else") }
    }

    private func check(_ sample: FlipSample, _ disk: SimulatedFileSystem) throws -> CheckReport {
        try FileStoreCheck(of: sample.path, temporaryFolder: sample.path.removingLastComponent(), files: disk).run()
    }
}
