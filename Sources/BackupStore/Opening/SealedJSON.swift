/// Small files of one JSON object that ends in its own checksum, like a history's line.
enum SealedJSON {
    static func encode(_ members: JSONObject) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        members.encodeMembers(into: &bytes)
        let checksum = bytes.withUnsafeBytes { crc32($0) }
        bytes.append(contentsOf: #","crc":""#.utf8)
        appendHex(checksum, to: &bytes)
        bytes.append(contentsOf: [0x22, 0x7D, 0x0A])
        return bytes
    }

    /// The members without the checksum; nil if the file is not what was written.
    static func decode(_ bytes: [UInt8]) -> JSONObject? {
        guard bytes.withUnsafeBytes({ HistoryCoding.verifiedChecksum($0) }) != nil, var members = try? JSONObject(json: bytes)
        else { return nil }
        members["crc"] = nil
        return members
    }
}
