import Foundation
import Testing

private func program(_ arguments: String...) throws -> (status: Int32, output: Data) {
    let result = try BuiltProgram.run(arguments)
    return (result.status, result.output)
}

@Suite("redolog dump and verify")
struct RedoLogCommandTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("RedoLogTests/Fixtures")

    static let logs: [String] = (FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? [])
        .filter { $0.hasSuffix(".log") }.sorted()

    private static func object(_ json: Data, without key: String) throws -> NSDictionary {
        let object = try #require(try JSONSerialization.jsonObject(with: json) as? NSDictionary)
        let result = NSMutableDictionary()
        for (name, value) in object {
            if let name = name as? String, name != key { result.setObject(value, forKey: NSString(string: name)) }
        }
        return result
    }

    @Test("The samples are there")
    func samples() { #expect(Self.logs.count >= 22) }

    @Test("dump --json prints exactly the description of a sample", arguments: logs)
    func dump(_ name: String) throws {
        let printed = try program("redolog", "dump", "--json", Self.folder.appendingPathComponent(name).path)
        let file = Self.folder.appendingPathComponent(String(name.dropLast(4)) + ".json")
        // "description" is prose about the sample.
        let dumped = try Self.object(printed.output, without: "description")
        let expected = try Self.object(Data(contentsOf: file), without: "description")
        #expect(dumped == expected, "\(name)")
        let isDamaged = (expected["problems"] as? [[String: Any]] ?? []).contains { $0["kind"] as? String == "garbage" }
        #expect(printed.status == (isDamaged ? 1 : 0))
    }

    @Test("Without --json a line for each record, after a line for the file", arguments: logs)
    func list(_ name: String) throws {
        let printed = try program("redolog", "dump", Self.folder.appendingPathComponent(name).path)
        let file = Self.folder.appendingPathComponent(String(name.dropLast(4)) + ".json")
        let expected = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let records = try #require(expected["records"] as? [Any]).count
        let problems = try #require(expected["problems"] as? [Any]).count
        #expect(String(decoding: printed.output, as: UTF8.self).split(separator: "\n").count == 1 + records + problems)
    }

    @Test("verify tells sound series and damaged files by its status")
    func verify() throws {
        let series = try program("redolog", "verify", "--strict", Self.folder.appendingPathComponent("session").path)
        #expect(series.status == 0)
        #expect(String(decoding: series.output, as: UTF8.self).contains("problems                    0"))
        #expect(try program("redolog", "verify", Self.folder.appendingPathComponent("damaged/garbage-middle.log").path).status == 1)
        #expect(try program("redolog", "verify", Self.folder.path + "/none").status != 0)
    }
}
