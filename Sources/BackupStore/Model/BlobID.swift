/// The SHA-256 of a blob's uncompressed bytes, as the mail server writes it in `mail_item.blob_digest`.
///
/// Text form: base64 with `/` written as `,`, 44 characters, the last one `=` (Design, section 4).
public struct BlobID: Hashable, Sendable, CustomStringConvertible {
    /// The hash, big-endian, as four words: no allocation per id.
    let word0: UInt64, word1: UInt64, word2: UInt64, word3: UInt64

    /// The id of a 32-byte hash; nil for any other length.
    public init?(hash: some Collection<UInt8>) {
        guard hash.count == 32 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for (index, byte) in hash.enumerated() {
            switch index >> 3 {
            case 0: words.0 = words.0 << 8 | UInt64(byte)
            case 1: words.1 = words.1 << 8 | UInt64(byte)
            case 2: words.2 = words.2 << 8 | UInt64(byte)
            default: words.3 = words.3 << 8 | UInt64(byte)
            }
        }
        (word0, word1, word2, word3) = words
    }

    /// The id of a text form; nil if the text is not exactly that.
    public init?(_ text: String) {
        let utf8 = Array(text.utf8)
        guard utf8.count == 44, utf8[43] == UInt8(ascii: "=") else { return nil }
        var hash: [UInt8] = []
        hash.reserveCapacity(33)
        var bits: UInt32 = 0
        for (index, character) in utf8.enumerated() {
            guard let value = index == 43 ? 0 : Self.value(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            if index & 3 == 3 {
                hash.append(UInt8(truncatingIfNeeded: bits >> 16))
                hash.append(UInt8(truncatingIfNeeded: bits >> 8))
                hash.append(UInt8(truncatingIfNeeded: bits))
            }
        }
        // The last character but one carries four bits of the hash and two that must be zero: one text an id.
        guard hash.removeLast() == 0, Self.value(of: utf8[42])! & 3 == 0 else { return nil }
        self.init(hash: hash)
    }

    /// The 32 bytes of the hash.
    public var hash: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for word in [word0, word1, word2, word3] {
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
        }
        return bytes
    }

    /// The text form, also the blob's file name.
    public var description: String {
        let bytes = hash + [0]
        return String(unsafeUninitializedCapacity: 44) { text in
            for group in 0..<11 {
                let bits = UInt32(bytes[group * 3]) << 16 | UInt32(bytes[group * 3 + 1]) << 8 | UInt32(bytes[group * 3 + 2])
                for place in 0..<4 { text[group * 4 + place] = Self.alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63] }
            }
            text[43] = UInt8(ascii: "=")
            return 44
        }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: ","): 63
        default: nil
        }
    }
}

/// A blob as a state names it.
public struct BlobReference: Hashable, Sendable {
    /// The name: SHA-256 of the uncompressed bytes.
    public var id: BlobID
    /// Length of the uncompressed bytes.
    public var size: Int64
    /// Length of the gzip member on disk, as it was when its commit was verified (R1).
    public var stored: Int64

    /// A reference made of its parts.
    public init(id: BlobID, size: Int64, stored: Int64) {
        self.id = id
        self.size = size
        self.stored = stored
    }

    /// As it stands in a history line.
    var json: JSONValue {
        .object(["id": .string(id.description), "size": .int(size), "stored": .int(stored)])
    }

    init?(json: JSONValue) {
        guard let members = json.object, let id = members["id"]?.string.flatMap({ BlobID($0) }),
            let size = members["size"]?.int, let stored = members["stored"]?.int, size >= 0, stored >= 0
        else { return nil }
        self.init(id: id, size: size, stored: stored)
    }
}
