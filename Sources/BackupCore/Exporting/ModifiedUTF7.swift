/// Names of IMAP mailboxes: modified UTF-7 (RFC 3501, section 5.1.3), as Maildir++ folders are named.
enum ModifiedUTF7 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

    static func encode(_ text: String) -> String {
        var out: [UInt8] = []
        var shifted: [UInt16] = []
        func close() {
            guard !shifted.isEmpty else { return }
            out.append(UInt8(ascii: "&"))
            var bits: UInt32 = 0
            var count = 0
            for unit in shifted {
                bits = bits << 16 | UInt32(unit)
                count += 16
                while count >= 6 {
                    count -= 6
                    out.append(alphabet[Int(bits >> UInt32(count) & 63)])
                }
                bits &= (1 << UInt32(count)) - 1
            }
            if count > 0 { out.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
            out.append(UInt8(ascii: "-"))
            shifted = []
        }
        for unit in text.utf16 {
            guard (0x20...0x7E).contains(unit) else {
                shifted.append(unit)
                continue
            }
            close()
            out.append(UInt8(unit))
            if unit == UInt16(UInt8(ascii: "&")) { out.append(UInt8(ascii: "-")) }
        }
        close()
        return String(decoding: out, as: UTF8.self)
    }
}
