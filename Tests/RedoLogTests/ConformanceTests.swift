import Foundation
import Testing

@testable import RedoLog

@Suite("The sample logs")
struct ConformanceTests {
    @Test("Every sample is described exactly as its document tells", arguments: Fixtures.logs)
    func description(_ name: String) throws {
        let expected = try Fixtures.document(name)
        let note = try #require(expected["description"] as? String)
        var text: [UInt8] = []
        try Description(of: LogFile(Fixtures.path(name)), note: note).write { text += $0 }
        let described = try #require(try JSONSerialization.jsonObject(with: Data(text)) as? NSDictionary)

        #expect(Set(described.allKeys as! [String]) == Set(expected.allKeys as! [String]))
        for key in expected.allKeys as! [String] where key != "records" {
            #expect(described[key] as? NSObject == expected[key] as? NSObject, "\(key)")
        }
        let records = try #require(described["records"] as? [NSDictionary])
        let expectedRecords = try #require(expected["records"] as? [NSDictionary])
        #expect(records.count == expectedRecords.count)
        for (record, expectedRecord) in zip(records, expectedRecords) where record != expectedRecord {
            Issue.record("is \(record)\nnot \(expectedRecord)")
        }
    }

    @Test("Decoding and encoding gives back the same bytes", arguments: Fixtures.logs)
    func roundTrip(_ name: String) throws {
        let bytes = Fixtures.bytes(name)
        let file = try LogFile(Fixtures.path(name))
        for record in try RecordReader(file: file).allRecords() {
            let encoded = try record.header.encode(record.operation)
            #expect(encoded.length == record.length)
            var whole = encoded.bytes
            for (index, body) in encoded.bodies.reversed() {
                whole.insert(contentsOf: bytes[Int(body.offset)..<Int(body.end)], at: index)
            }
            #expect(
                whole == Array(bytes[Int(record.offset)..<Int(record.end)]),
                "\(record.header.code) of version \(record.header.version) at \(record.offset)")
        }
    }

    @Test("Every header is written as it was read", arguments: Fixtures.logs)
    func header(_ name: String) throws {
        let bytes = Array(Fixtures.bytes(name)[0..<FileHeader.length])
        let header = try FileHeader(bytes: bytes)
        #expect(header.bytes == bytes)
        #expect(header.paddingIsZero)
    }
}
