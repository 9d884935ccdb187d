import Foundation
import SystemPackage
import Testing

@testable import RedoLog

/// The sample logs, beside the tests' sources.
enum Fixtures {
    static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent().appending("Fixtures")

    /// Names, with their folder, of all sample logs.
    static let logs: [String] = {
        let enumerator = FileManager.default.enumerator(atPath: folder.string)
        return (enumerator?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(".log") }.sorted()
    }()

    static func path(_ name: String) -> FilePath { folder.pushing(FilePath(name)) }

    static func bytes(_ name: String) -> [UInt8] {
        [UInt8](FileManager.default.contents(atPath: path(name).string) ?? Data())
    }

    /// The description document of a sample log.
    static func document(_ name: String) throws -> NSDictionary {
        let path = path(String(name.dropLast(4)) + ".json")
        let data = try #require(FileManager.default.contents(atPath: path.string))
        return try #require(try JSONSerialization.jsonObject(with: data) as? NSDictionary)
    }
}

extension RecordReader {
    /// All steps up to the end.
    func allSteps() throws -> [Step] {
        var steps: [Step] = []
        while true {
            let step = try next()
            if case .end = step { return steps }
            steps.append(step)
        }
    }

    /// All records up to the end.
    func allRecords() throws -> [Record] {
        try allSteps().compactMap { if case .record(let record) = $0 { record } else { nil } }
    }
}

/// A folder that goes with the object.
final class TemporaryFolder {
    let path: FilePath

    init() {
        path = FilePath(FileManager.default.temporaryDirectory.path).appending("redolog-test-\(UUID().uuidString)")
        try! FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path.string) }

    /// A file with these bytes.
    func file(_ name: String, _ bytes: [UInt8]) -> FilePath {
        let file = path.appending(name)
        precondition(FileManager.default.createFile(atPath: file.string, contents: Data(bytes)))
        return file
    }
}

/// SplitMix64: the same sequence for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
