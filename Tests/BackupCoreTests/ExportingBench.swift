import BackupStore
import Foundation
import SystemPackage

@testable import BackupCore

extension RestoringBench {
    /// Exports into a new folder of the bench.
    func export(
        _ format: ExportFormat = .eml, at moment: RestoreMoment = .last, name: String = UUID().uuidString, stop: @escaping () -> Bool = { false }
    ) throws -> Export {
        let reader = try StoreReader(opening: backupPath)
        defer { reader.close() }
        let destination = folder.path.appending(name)
        let report = try MailboxExport(account: account, destination: destination, moment: moment, format: format)
            .run(from: reader, stop: stop)
        return Export(url: URL(fileURLWithPath: destination.string), report: report)
    }

    func item(_ id: Int64, _ type: ItemType, in folder: Int64 = 2, bytes: [UInt8]? = nil, _ change: (inout ItemRow) -> Void = { _ in }) throws -> ItemState {
        var row = ItemRow(id: id, type: type)
        row.folderID = folder
        row.date = 1_700_000_000
        let blob = try bytes.map { try store.stageBlob($0) }
        row.blobDigest = blob?.id.description
        row.size = blob?.size ?? 0
        change(&row)
        return ItemState(row: row, blob: blob)
    }
}

/// The files of an export, and what was said of them.
struct Export {
    let url: URL
    let report: ExportReport

    /// Every file by its place, sorted.
    var files: [String] {
        get throws { try FileManager.default.subpathsOfDirectory(atPath: url.path).filter { !isFolder($0) }.sorted() }
    }

    func isFolder(_ place: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.appending(path: place).path, isDirectory: &isFolder) && isFolder.boolValue
    }

    func bytes(_ place: String) throws -> [UInt8] { Array(try Data(contentsOf: url.appending(path: place))) }
    func text(_ place: String) throws -> String { String(decoding: try bytes(place), as: UTF8.self) }
    func date(_ place: String) throws -> Int64 {
        let date = try FileManager.default.attributesOfItem(atPath: url.appending(path: place).path)[.modificationDate] as? Date
        return Int64(date?.timeIntervalSince1970 ?? -1)
    }

    /// The manifest's lines.
    var manifest: [JSONObject] {
        get throws { try bytes("manifest.jsonl").split(separator: UInt8(ascii: "\n")).map { try JSONObject(json: Array($0)) } }
    }

    func line(_ id: Int64) throws -> JSONObject? { try manifest.first { $0["id"]?.int == id } }
}

extension ExportReport {
    /// R10: what became of the items adds up to what was asked.
    var addsUp: Bool { exported + leftOutCount + Int64(unexported.count) == asked }
}

/// Another program that a test asks; nil results where the machine has no such program.
enum OtherProgram {
    static func path(_ name: String) -> String? {
        ["/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"].map { $0 + "/" + name }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static let hasPython = path("python3") != nil

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs a Python program, and reads the JSON that it prints.
    static func python(_ program: String, _ arguments: String..., input: URL? = nil) throws -> Any {
        let output = try run(path("python3") ?? "python3", ["-c", program] + arguments)
        return try JSONSerialization.jsonObject(with: output, options: .fragmentsAllowed)
    }

    @discardableResult
    static func run(_ program: String, _ arguments: [String]) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let output = Pipe()
        let errors = FileManager.default.temporaryDirectory.appending(path: "zxbackup-\(UUID().uuidString).err")
        try Data().write(to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(program) ended with \(process.terminationStatus): " + ((try? String(contentsOf: errors, encoding: .utf8)) ?? ""))
        }
        return data
    }
}
