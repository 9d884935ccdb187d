import Foundation
import Testing

@testable import BackupCore

@Suite("The server's metadata maps")
struct MetadataDictionaryTests {
    @Test("Every metadata text of the data sets is written back as the server wrote it", arguments: ["small", "crash"])
    func roundTripsRealRows(name: String) throws {
        let tables = Dataset(name).folder.appending(path: "tables")
        var count = 0
        for table in ["mail_item", "mail_item_dumpster", "revision", "mailbox_metadata", "volume"] {
            let file = tables.appending(path: "\(table).jsonl.gz")
            guard FileManager.default.fileExists(atPath: file.path) else { continue }
            for line in try inflate(file).split(separator: UInt8(ascii: "\n")) {
                let row = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
                guard let text = row["metadata"] as? String, !text.isEmpty else { continue }
                count += 1
                #expect(try MetadataDictionary(parsing: text).text() == text)
            }
        }
        #expect(count > 100)
    }

    @Test("Lengths count UTF-16 units, and texts beyond the basic plane hide in an encoded-word")
    func countsUTF16() throws {
        var map = MetadataDictionary()
        map["f"] = .string("smile 😀 é")
        #expect(map.text(forColumn: false) == "d1:f10:smile 😀 é1:vi10ee")
        let column = map.text()
        #expect(column.hasPrefix("=?UTF-8?B?") && column.hasSuffix("?="))
        #expect(try MetadataDictionary(parsing: column) == map)
        #expect(try MetadataDictionary(parsing: "=?UTF-8?B?ZDE6ZjI68J+YgDE6dmkxMGVl?=").string("f") == "😀")
    }

    @Test("A text that was once read as Latin-1 is repaired")
    func repairsLatin1() throws {
        // "d1:f2:éa1:vi10ee" in UTF-8, each byte read as a character: the length no longer fits.
        let broken = String(String.UnicodeScalarView("d1:f2:éa1:vi10ee".utf8.map { Unicode.Scalar($0) }))
        #expect(try MetadataDictionary(parsing: broken).string("f") == "éa")
    }

    @Test("Null and empty texts are the empty map, and booleans and numbers convert")
    func convertsOnDemand() throws {
        #expect(try MetadataDictionary(parsing: nil).isEmpty)
        #expect(try MetadataDictionary(parsing: "").isEmpty)
        let map = try MetadataDictionary(parsing: "d3:das5:false1:n2:12e")
        #expect(map.string("das") == "false")
        #expect(map.integer("n") == 12)
        #expect(map.integer("absent") == nil)
    }

    @Test(
        "Hostile texts are refused, never trusted",
        arguments: [
            "d", "de1", "d1:a", "d1:ai1", "d99999999999999999999:ae", "d1:a9223372036854775807:xe", "i5e", "l", "d1:ai99999999999999999999ee",
            "d-1:ae", "dle1:ae", String(repeating: "l", count: 200_000), "d1:a" + String(repeating: "d1:a", count: 150),
            "nonsense", "=?UTF-8?B?!!!!?=",
        ])
    func refusesHostileTexts(text: String) {
        #expect(throws: MetadataDictionary.ParseError.self) { try MetadataDictionary(parsing: text) }
    }

    @Test("Random maps survive writing and reading")
    func survivesRoundTrips() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            let map = Self.randomMap(&generator, depth: 0)
            #expect(try MetadataDictionary(parsing: map.text()) == map)
            #expect(try MetadataDictionary(parsing: map.text(forColumn: false)) == map)
        }
    }

    private static func randomMap(_ generator: inout SeededGenerator, depth: Int) -> MetadataDictionary {
        var map = MetadataDictionary()
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let key = ["a", "Z", "_u", "ä", "日本", "😀k", "fld"].randomElement(using: &generator) ?? "a"
            switch Int.random(in: 0...(depth < 3 ? 3 : 1), using: &generator) {
            case 0: map[key] = .integer(.random(in: .min ... .max, using: &generator))
            case 1: map[key] = .string(["", "e", "1:", "d1:ae", "\0", "é\r\n", "😀😀"].randomElement(using: &generator) ?? "")
            case 2: map[key] = .dictionary(randomMap(&generator, depth: depth + 1))
            default: map[key] = .list([.integer(1), .string("x"), .dictionary(randomMap(&generator, depth: depth + 1))])
            }
        }
        return map
    }
}

/// A generator whose sequence depends on its seed only (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
