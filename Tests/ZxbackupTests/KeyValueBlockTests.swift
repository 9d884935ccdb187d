import Testing

@testable import zxbackup

@Suite("Two-column output")
struct KeyValueBlockTests {
    @Test("The value stands 60 columns after its name, blocks are indented by tabs")
    func columns() {
        let block = KeyValueBlock("itemStates", [
            .pair("start_date", "12/07/2013 16:35:44"), .block(KeyValueBlock("attributes", [.pair("a", "b")])), .verbatim("blob path /x"),
        ])
        #expect(block.text() == """
            \titemStates
            \t\tstart_date                                                  12/07/2013 16:35:44
            \t\tattributes
            \t\t\ta                                                           b
            \t\tblob path /x

            """)
    }

    @Test("A long name keeps a blank before its value")
    func longName() {
        let name = String(repeating: "n", count: 60)
        #expect(KeyValueBlock("t", [.pair(name, "v")]).text() == "\tt\n\t\t\(name) v\n")
    }

    @Test("A value cannot break the lines or drive a terminal")
    func controls() {
        #expect(KeyValueBlock("t", [.pair("n", "a\nb\u{1B}[2J\r\n\u{9B}")]).text().hasSuffix("a\\nb\\u001b[2J\\r\\n\\u009b\n"))
    }

    @Test("Base64 is RFC 4648's", arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
    func base64Text(_ plain: String, _ encoded: String) {
        #expect(base64(Array(plain.utf8)) == encoded)
    }
}
