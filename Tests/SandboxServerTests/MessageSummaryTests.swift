import Testing

@testable import BackupCore

@Suite("What the server derives from a message")
struct MessageSummaryTests {
    private func summary(_ text: String) -> MessageSummary { MessageSummary(bytes: Array(text.utf8)) }

    @Test("A subject loses its prefixes and says how to get them back", arguments: [
        ("A kettle", "A kettle", nil, nil), ("Re: A kettle", "A kettle", "Re: ", nil),
        ("Re: [list] A kettle", "A kettle", "Re: [list] ", nil), ("[RFC][PATCH 05/10] cifs: read", "cifs: read", "[RFC][PATCH 05/10] ", nil),
        ("Re: [meta-forkage]", "[meta-forkage]", "Re: ", nil), ("FW: a", "a", "FW: ", nil), ("AW: Re[2]: b", "b", "AW: Re[2]: ", nil),
        ("Best   of         all", "Best of all", nil, "Best   of         all"),
        ("Re: Silence (fwd)", "Silence", nil, "Re: Silence (fwd)"), ("", "", nil, nil), ("Re:", "", "Re:", nil),
        ("CNET: news", "CNET: news", nil, nil), ("ADV: sale", "sale", "ADV: ", nil),
    ] as [(String, String, String?, String?)])
    func subject(raw: String, normalized: String, prefix: String?, different: String?) {
        let subject = Subject(raw: raw)
        #expect(subject.normalized == normalized)
        #expect(subject.prefix == prefix)
        #expect(subject.rawIfDifferent == different)
    }

    @Test("Encoded words are decoded in the columns and kept in the metadata")
    func encodedWords() {
        let summary = summary(
            "From: =?UTF-8?B?RGlldGVyIE3DvGxsZXI=?= <dieter@example.com>\r\nTo: \"Ann, A.\" <a@x.org>,\r\n\t<b@x.org>\r\n"
                + "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n\r\nHallo\r\n")
        #expect(summary.senderColumn == "Dieter Müller")
        #expect(summary.from == "=?UTF-8?B?RGlldGVyIE3DvGxsZXI=?= <dieter@example.com>")
        #expect(summary.recipientsColumn == "Ann, A., b@x.org")
        #expect(summary.subject.normalized == "Grüße")
        #expect(summary.fragment == "Hallo")
    }

    @Test("Attachments, priority and references are found")
    func structure() {
        let summary = summary(
            """
            From: a@x.org\r
            X-Priority: 1 (Highest)\r
            Message-ID: <3@x>\r
            In-Reply-To: <2@x>\r
            References: <1@x> <2@x>\r
            Content-Type: multipart/mixed; boundary=b\r
            \r
            --b\r
            Content-Type: text/plain; charset=iso-8859-1\r
            Content-Transfer-Encoding: quoted-printable\r
            \r
            Gr=FC=DFe\r
            --b\r
            Content-Type: application/pdf; name=a.pdf\r
            Content-Disposition: attachment\r
            \r
            %PDF\r
            --b--\r

            """)
        #expect(summary.flags == [.attached, .urgent])
        #expect(summary.messageID == "3@x")
        #expect(summary.references == ["2@x", "1@x"])
        #expect(summary.fragment == "Grüße")
        #expect(summary.recipientsColumn == nil && summary.to == nil)
    }

    @Test("A long text is cut at a word")
    func fragment() {
        let text = String(repeating: "anchor ", count: 60)
        let fragment = summary("From: a@x.org\r\n\r\n" + text).fragment
        #expect(fragment == String(repeating: "anchor ", count: 21) + "...")
    }

    @Test("Nothing in a message harms: NULs, wrong bytes, endless headers, deep nesting", .timeLimit(.minutes(1)))
    func hostile() {
        var messages: [[UInt8]] = [[], [0], [13, 10], Array("Subject".utf8), [UInt8](repeating: 0xFF, count: 10_000)]
        messages.append(Array("From: ".utf8) + [0, 0xC3, 0x28, 0xFF] + Array(" <a\0b@x>\r\nSubject: \0\u{1}x\r\n\r\n\0".utf8))
        messages.append(Array(("Subject: " + String(repeating: "Re: ", count: 500_000) + "\r\n\r\n").utf8))
        messages.append(Array(("To: " + String(repeating: "a@x.org, ", count: 300_000) + "\r\n\r\n").utf8))
        messages.append(Array(String(repeating: "To: a@x.org\r\n", count: 200_000).utf8))
        messages.append(Array((String(repeating: "X: y\r\n", count: 400_000) + "\r\n").utf8))
        messages.append(Array(("References: " + String(repeating: "<a@b> ", count: 300_000) + "\r\n\r\n").utf8))
        messages.append(Array(("Subject: " + String(repeating: "=?utf-8?q?=", count: 100_000) + "\r\n\r\n").utf8))
        var nested = ""
        for level in 0..<5000 { nested += "Content-Type: multipart/mixed; boundary=b\(level)\r\n\r\n--b\(level)\r\n" }
        messages.append(Array(nested.utf8))
        messages.append(Array(("Content-Type: multipart/mixed; boundary=q\r\n\r\n" + String(repeating: "--q\r\nContent-Type: message/rfc822\r\n\r\n", count: 5000)).utf8))
        for message in messages {
            let summary = MessageSummary(bytes: message)
            #expect(summary.subject.normalized.utf8.count <= 4096)
            #expect((summary.senderColumn ?? "").unicodeScalars.count <= 128)
            #expect((summary.recipientsColumn ?? "").unicodeScalars.count <= 128)
            var row = ItemRow(id: 300, type: .message)
            summary.fill(&row)
            #expect((try? MetadataDictionary(parsing: row.metadata)) != nil)
        }
    }

    @Test("Random bytes and cut messages never crash", arguments: 0..<8 as Range<UInt64>)
    func random(seed: UInt64) {
        var generator = Seeded(seed)
        let whole = Array(
            "From: a <a@x.org>\r\nTo: b@x.org\r\nSubject: =?utf-8?q?x=C3=BC?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--\r\n".utf8)
        for _ in 0..<300 {
            var bytes = Array(whole.prefix(Int.random(in: 0...whole.count, using: &generator)))
            for _ in 0..<Int.random(in: 0...20, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = MessageSummary(bytes: bytes)
        }
    }

    @Test("Threads may read at once")
    func threads() async {
        let expected = summary("From: a <a@x.org>\r\nSubject: =?iso-8859-1?Q?=FC?=\r\n\r\n")
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<200).allSatisfy { _ in
                        MessageSummary(bytes: Array("From: a <a@x.org>\r\nSubject: =?iso-8859-1?Q?=FC?=\r\n\r\n".utf8)) == expected
                    }
                }
            }
            for await isSame in group { #expect(isSame) }
        }
    }
}

/// A generator with a seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
