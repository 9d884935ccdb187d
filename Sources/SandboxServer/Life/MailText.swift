import BackupCore

/// A generator with a seed: the same life every time (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The generator with this seed.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[number(0...(elements.count - 1))] }

    mutating func chance(_ percent: Int) -> Bool { number(1...100) <= percent }
}

/// Invented mail: people, subjects and texts that look like an office's.
public struct MailText: Sendable {
    /// What a written message was.
    public struct Written: Sendable {
        /// The whole message.
        public var bytes: [UInt8]
        /// Its subject, decoded.
        public var subject: String
        /// Without angle brackets.
        public var messageID: String
    }

    private static let people = [
        "Alice Example", "Bob Example", "Carla Müller", "Dieter Hoffmann", "Emil Novák", "Farah Haddad", "Goran Petrović", "Hana Sato",
        "Ivo Rossi", "Jana Kowalska", "Kemal Yılmaz", "Lena Öhman", "Marco Bianchi", "Nora Byrne", "Oleg Petrov", "Priya Sharma",
    ]
    private static let things = [
        "budget", "contract", "invoice", "offer", "meeting", "schedule", "report", "delivery", "workshop", "travel plan", "server room",
        "timesheet", "holiday list", "review", "press release", "training", "audit", "order 4711", "kick-off", "lease",
    ]
    private static let openings = [
        "the new", "your", "our", "last week's", "the final", "the draft", "tomorrow's", "questions about the", "update:", "reminder:",
    ]
    private static let sentences = [
        "Thank you for sending this over.", "I have attached the numbers that we discussed.", "Could you have a look before Thursday?",
        "The customer is happy with the second version.", "Please let me know if the date works for you.",
        "We moved the meeting to the large room on the second floor.", "There is one open question about the delivery date.",
        "I will be out of the office on Friday; Carla can answer questions.", "The printer on our floor is working again.",
        "Grüße aus Köln, hier regnet es.", "As agreed on the phone, we take the smaller package.", "Nothing urgent, it can wait until Monday.",
        "The draft is in the shared folder.", "Can someone confirm the number of participants?", "The invoice was paid yesterday.",
        "Do we need a signature from the board for this?", "Dziękuję bardzo za szybką odpowiedź.", "見積書を添付しました。",
    ]

    private var generator: SeededGenerator
    private var count = 0
    private let mark: UInt64

    /// Texts of this seed.
    public init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        mark = seed
    }

    /// The address of an invented person outside.
    public mutating func sender() -> String {
        let name = generator.pick(Self.people)
        let address = name.lowercased().unicodeScalars.map { ("a"..."z").contains($0) ? Character($0) : $0 == " " ? "." : "x" }
        return "\(name) <\(String(address))@example.org>"
    }

    /// Such a person's address alone.
    mutating func address() -> String { String(sender().drop { $0 != "<" }.dropFirst().dropLast()) }

    /// An invented subject.
    public mutating func subject() -> String { generator.pick(Self.openings) + " " + generator.pick(Self.things) }

    /// A message of about `size` bytes; nil = a size as mail has them, mostly a few kilobytes, sometimes with an attachment.
    public mutating func write(
        from: String? = nil, to: String, subject: String? = nil, text: String? = nil, references: String? = nil, size: Int? = nil
    ) -> Written {
        count += 1
        let from = from ?? sender()
        let subject = subject ?? self.subject()
        let id = "\(String(mark, radix: 36)).\(count).\(generator.number(100_000...999_999))@mail.example.org"
        var text = text ?? paragraph(generator.number(1...8))
        let attachment: Int
        if let size {
            // Base64 makes 76 characters of 57 bytes, and a line end.
            let rest = max(0, size - text.utf8.count - 600)
            attachment = rest > 20_000 ? rest / 78 * 57 : 0
            if attachment == 0 { text = grown(text, to: rest + text.utf8.count) }
        } else {
            attachment = generator.chance(12) ? generator.number(500...60_000) : 0
        }
        var out = "From: \(Self.header(from))\r\nTo: \(to)\r\nSubject: \(Self.header(subject))\r\n"
        out += "Message-ID: <\(id)>\r\n"
        if let references { out += "In-Reply-To: <\(references)>\r\nReferences: <\(references)>\r\n" }
        if generator.chance(4) { out += "X-Priority: 1\r\n" }
        out += "MIME-Version: 1.0\r\n"
        if attachment > 0 {
            out += "Content-Type: multipart/mixed; boundary=\"part-\(count)\"\r\n\r\n--part-\(count)\r\n"
            out += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\(text)\r\n--part-\(count)\r\n"
            out += "Content-Type: application/octet-stream; name=\"file-\(count).bin\"\r\n"
            out += "Content-Disposition: attachment; filename=\"file-\(count).bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            var bytes = Array(out.utf8)
            appendBase64(attachment, to: &bytes)
            bytes += "--part-\(count)--\r\n".utf8
            return Written(bytes: bytes, subject: subject, messageID: id)
        }
        out += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\(text)\r\n"
        return Written(bytes: Array(out.utf8), subject: subject, messageID: id)
    }

    private mutating func paragraph(_ count: Int) -> String {
        var text = ""
        for place in 0..<count {
            text += generator.pick(Self.sentences)
            text += (place + 1) % 3 == 0 ? "\r\n\r\n" : "\r\n"
        }
        return text + "\r\nBest regards\r\n"
    }

    private mutating func grown(_ text: String, to size: Int) -> String {
        var text = text
        while text.utf8.count < size { text += paragraph(6) }
        return text
    }

    /// Half text, half noise, so that it compresses like an office's attachments.
    private mutating func appendBase64(_ size: Int, to bytes: inout [UInt8]) {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var line: [UInt8] = []
        for number in 0..<max(1, size / 57) {
            if number % 2 == 0 || line.isEmpty {
                line = []
                var bits: UInt64 = 0
                for place in 0..<76 {
                    if place % 10 == 0 { bits = generator.next() }
                    line.append(alphabet[Int(bits & 63)])
                    bits >>= 6
                }
            }
            bytes += line
            bytes += [13, 10]
        }
    }

    /// A header's text with what is not ASCII as an encoded word.
    private static func header(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 128 }) { return text }
        let parts = text.split(separator: "<", maxSplits: 1).map(String.init)
        let name = parts[0].split(separator: " ").joined(separator: " ")
        return "=?utf-8?q?" + name.utf8.map(quoted).joined() + "?=" + (parts.count > 1 ? " <" + parts[1] : "")
    }

    private static func quoted(_ byte: UInt8) -> String {
        if byte == 32 { return "_" }
        let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        return isPlain ? String(UnicodeScalar(byte)) : "=" + (byte < 16 ? "0" : "") + String(byte, radix: 16).uppercased()
    }
}
