/// The differences between two mailboxes, item by item.
public struct MailboxComparison: Sendable {
    /// What was compared.
    public private(set) var folders = 0
    /// Tags of either mailbox.
    public private(set) var tags = 0
    /// Messages of the expected mailbox.
    public private(set) var messages = 0
    /// Message bodies compared byte by byte, and their bytes.
    public private(set) var blobs = 0
    /// Bytes found equal.
    public private(set) var bytes: Int64 = 0
    /// In words; at most the first 1,000.
    public private(set) var differences: [String] = []
    /// All of them.
    public private(set) var numberOfDifferences = 0

    /// Compares two images.
    public init(expected: MailboxImage, actual: MailboxImage) {
        for path in Set(expected.folders.keys).union(actual.folders.keys).sorted() {
            folders += 1
            compare("folder \(path)", expected.folders[path], actual.folders[path])
        }
        for name in Set(expected.tags.keys).union(actual.tags.keys).sorted() {
            tags += 1
            compare("tag \(name)", expected.tags[name], actual.tags[name])
        }
        messages = expected.messages.count
        let pairs = Self.pairs(expected, actual)
        for (left, right) in pairs {
            let message = (left.map { expected.messages[$0] } ?? right.map { actual.messages[$0] })
            compare(
                "message \(message?.subject ?? "") in \(message?.folder ?? "")", left.map { expected.messages[$0] },
                right.map { actual.messages[$0] })
        }
        compare("items of other types", expected.others, actual.others)
    }

    /// Compares the bytes of each message of `expected` with its counterpart's.
    ///
    /// - Parameters:
    ///   - expectedBytes: opens the content of a message of the first mailbox.
    ///   - actualBytes: opens the content of a message of the second.
    /// - Throws: what opening or reading throws.
    public mutating func compareBlobs(
        _ expected: MailboxImage, _ actual: MailboxImage, expectedBytes: (BlobLocation) throws -> ByteReader,
        actualBytes: (BlobLocation) throws -> ByteReader
    ) throws {
        for case (let left?, let right?) in Self.pairs(expected, actual) {
            blobs += 1
            let length = try Self.equalLength(
                expectedBytes(expected.locations[left]), actualBytes(actual.locations[right]))
            if let length {
                bytes += length
            } else {
                differ("bytes of message \(expected.messages[left].subject) in \(expected.messages[left].folder)")
            }
        }
    }

    private mutating func compare<Value: Equatable>(_ what: String, _ expected: Value?, _ actual: Value?) {
        switch (expected, actual) {
        case (let expected?, let actual?) where expected != actual: differ("\(what): \(actual), expected \(expected)")
        case (_?, nil): differ("\(what): missing")
        case (nil, _?): differ("\(what): too many")
        default: break
        }
    }

    private mutating func differ(_ text: String) {
        numberOfDifferences += 1
        if differences.count < 1000 { differences.append(text) }
    }

    /// Indices of messages that belong together: same folder, digest and date; among those the most alike first.
    private static func pairs(_ expected: MailboxImage, _ actual: MailboxImage) -> [(Int?, Int?)] {
        struct Key: Hashable { var folder: String, digest: String, date: Int64 }
        func groups(_ image: MailboxImage) -> [Key: [Int]] {
            Dictionary(grouping: image.messages.indices) {
                Key(folder: image.messages[$0].folder, digest: image.messages[$0].digest, date: image.messages[$0].date)
            }
        }
        let left = groups(expected)
        let right = groups(actual)
        var pairs: [(Int?, Int?)] = []
        for key in Set(left.keys).union(right.keys) {
            var rest = right[key] ?? []
            for index in left[key] ?? [] {
                let place = rest.firstIndex { actual.messages[$0] == expected.messages[index] } ?? rest.indices.first
                pairs.append((index, place.map { rest.remove(at: $0) }))
            }
            pairs += rest.map { (nil, $0) }
        }
        return pairs
    }

    /// The number of bytes when both readers give the same ones; nil when they differ.
    private static func equalLength(_ left: @escaping ByteReader, _ right: @escaping ByteReader) throws -> Int64? {
        var leftBytes = BlockReader(read: left)
        var rightBytes = BlockReader(read: right)
        var length: Int64 = 0
        while true {
            let a = try leftBytes.block()
            let b = try rightBytes.block()
            guard a == b else { return nil }
            guard !a.isEmpty else { return length }
            length += Int64(a.count)
        }
    }
}

/// Reads full blocks from a reader that may give fewer bytes than asked for.
private struct BlockReader {
    private static let size = 64 * 1024
    let read: ByteReader

    /// The next block; shorter than others only at the end, and empty after it.
    mutating func block() throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: Self.size) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            while count < Self.size {
                let got = try read(UnsafeMutableRawBufferPointer(rebasing: raw[count...]))
                guard got > 0 else { return }
                count += got
            }
        }
    }
}
