import BackupStoreTesting
import CZlib
import SystemPackage

@testable import BackupStore

/// What a backup path is read from.
enum StoreFuzz {
    /// A line is read as one that is written the same, or not at all. The input's own checksum is put right first, or no input
    /// would ever pass.
    static func history(_ bytes: [UInt8]) throws {
        _ = HistoryCoding.trustedTail(String(decoding: bytes, as: UTF8.self))
        _ = bytes.withUnsafeBytes { HistoryCoding.decode($0) }
        let line = sealed(bytes)
        guard let (read, previous, tail) = line.withUnsafeBytes({ HistoryCoding.decode($0) }) else { return }
        guard HistoryCoding.trustedTail(String(decoding: line.dropLast(), as: UTF8.self))?.checksum == tail.checksum else {
            throw FuzzFailure("another checksum without a check")
        }
        // Written again, it says the same.
        var again: [UInt8] = []
        let state = NewState(key: .item(account: "a", id: 1), fields: read.fields, blobs: read.blobs)
        let transaction = StoreTransaction(
            account: "a", generation: read.generation, time: read.time, change: read.change, kind: read.kind)
        let header = TransactionHeader(transaction, sequence: read.sequence)
        let before = HistoryTail(sequence: 0, ordinal: read.ordinal &- 1, checksum: previous)
        guard read.ordinal > Int64.min, read.sequence <= UInt64(Int64.max) else { return }
        _ = HistoryCoding.encode(state, header, after: before, into: &again)
        guard let (second, _, _) = again.withUnsafeBytes({ HistoryCoding.decode($0) }) else {
            throw FuzzFailure("what was read and written cannot be read: \(String(decoding: again, as: UTF8.self))")
        }
        guard second.sequence == read.sequence, second.ordinal == read.ordinal, second.time == read.time,
            second.change == read.change, second.generation == read.generation, second.kind == read.kind,
            second.fields == read.fields, second.blobs == read.blobs
        else { throw FuzzFailure("\(read) becomes \(second)") }
    }

    /// The line with its own checksum at its end.
    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var body = bytes
        while body.last == 0x0A || body.last == 0x7D { body.removeLast() }
        let mark = Array(#","crc":""#.utf8)
        if body.count > 17, body[(body.count - 17)..<(body.count - 9)].elementsEqual(mark) { body.removeLast(17) }
        var line = body
        line += mark
        appendHex(body.withUnsafeBytes { crc32($0) }, to: &line)
        return line + [0x22, 0x7D, 0x0A]
    }

    /// A frame's payload is read to its end or refused; every key in it stays inside of the path.
    static func journal(_ bytes: [UInt8]) throws {
        let path = BackupPath("/backup")
        func look(_ record: JournalRecord) throws {
            let key: HistoryKey
            switch record {
            case .begin(let header):
                guard TransactionHeader(header.json) == header else { throw FuzzFailure("\(header) is written as another") }
                return
            case .line(let named, let line):
                _ = HistoryCoding.decode(line)
                key = named
            case .removal(let named): key = named
            case .end: return
            }
            let place = path.history(key)
            guard place.lexicallyNormalized() == place, place.starts(with: path.root) else {
                throw FuzzFailure("\(key) leads to \(place)")
            }
            guard HistoryKey(indexName: key.indexName) == key else { throw FuzzFailure("\(key) has no name in the index") }
        }
        do {
            try bytes.withUnsafeBytes { try JournalRecord.forEach(in: $0, look) }
        } catch is ByteCursor.OutOfBounds {
        } catch is StoreError {}  // The input may be a segment all the same.
        // A whole segment, as it may lie on the disk.
        let disk = SimulatedFileSystem(base: "/backup")
        disk.keepsTrace = false
        let name = SegmentName(number: 1, salt: 0x0123_4567_89AB_CDEF)
        disk.place("journal/\(name)", bytes)
        let reader = try SegmentReader(name, disk, path)
        let scan = try reader.scan(limit: nil)
        guard scan.end <= max(reader.size, reader.start) else { throw FuzzFailure("the scan ends at \(scan.end)") }
    }

    /// A member is read as zlib reads it, in bounded pieces, or refused.
    static func gzip(_ bytes: [UInt8]) throws {
        let disk = SimulatedFileSystem(base: "/backup")
        disk.keepsTrace = false
        disk.place("blob", bytes)
        let file = try disk.open("/backup/blob", .read)
        defer { file.close() }
        var read: [UInt8]? = []
        var isTooLong = false
        do {
            try file.decompress { piece in
                guard read!.count + piece.count < 1 << 20 else {
                    isTooLong = true
                    throw FuzzFailure("enough")
                }
                read! += piece
            }
        } catch { read = nil }
        guard !isTooLong else { return }
        let expected = inflated(bytes)
        guard read == expected else {
            throw FuzzFailure("\(read.map { "\($0.count) bytes" } ?? "refused"), zlib says \(expected.map { "\($0.count)" } ?? "no")")
        }
    }

    /// One gzip member and nothing behind it, by one call of zlib.
    private static func inflated(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        guard inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: 1 << 20)
        var input = bytes
        return input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output -> [UInt8]? in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                guard inflate(&stream, Z_FINISH) == Z_STREAM_END, stream.avail_in == 0 else { return nil }
                return Array(output[..<(output.count - Int(stream.avail_out))])
            }
        }
    }
}
