import CLibcurl

/// Sends mail, by libcurl.
enum SMTP {
    /// libcurl wants to be initialised once per process.
    private static let initialized: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
    /// Seconds until a server that does not answer is given up.
    private static let patience = 30

    /// What went wrong, in libcurl's words.
    struct Failure: Error, CustomStringConvertible {
        var server: String
        var reason: String
        var description: String { "\(server): \(reason). Check 'notifications' of the configuration" }
    }

    /// The rest of a mail, while libcurl reads it.
    private final class Rest {
        var bytes: ArraySlice<UInt8>
        init(_ bytes: [UInt8]) { self.bytes = bytes[...] }
    }

    /// Sends a mail to one recipient.
    ///
    /// TLS is used where the server offers it; with `smtps`, or a user and password in the URL, it must, and prove who it is.
    ///
    /// - Parameters:
    ///   - mail: header and text, with CR LF.
    ///   - server: `smtp://host:port` or `smtps://…`.
    /// - Throws: ``Failure``.
    static func send(_ mail: [UInt8], from: String, to: String, server: String) throws {
        // What is told of a failure names no password.
        let shown = server.split(separator: "@").last.map(String.init) ?? server
        guard initialized, let curl = curl_easy_init() else { throw Failure(server: shown, reason: "libcurl cannot be used") }
        defer { curl_easy_cleanup(curl) }
        func check(_ code: CURLcode) throws {
            guard code == CURLE_OK else { throw Failure(server: shown, reason: String(cString: curl_easy_strerror(code))) }
        }
        let mustBeSafe = server.contains("@")
        try check(zx_curl_set_text(curl, CURLOPT_URL, server))
        try check(zx_curl_set_text(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps"))
        try check(zx_curl_set_number(curl, CURLOPT_USE_SSL, Int(mustBeSafe ? CURLUSESSL_ALL.rawValue : CURLUSESSL_TRY.rawValue)))
        if !mustBeSafe, !server.lowercased().hasPrefix("smtps") {
            // Whoever could forge the certificate could as well have the mail in the clear.
            try check(zx_curl_set_number(curl, CURLOPT_SSL_VERIFYPEER, 0))
            try check(zx_curl_set_number(curl, CURLOPT_SSL_VERIFYHOST, 0))
        }
        try check(zx_curl_set_number(curl, CURLOPT_NOSIGNAL, 1))
        try check(zx_curl_set_number(curl, CURLOPT_CONNECTTIMEOUT, patience))
        try check(zx_curl_set_number(curl, CURLOPT_TIMEOUT, 2 * patience))
        try check(zx_curl_set_text(curl, CURLOPT_MAIL_FROM, "<\(from)>"))
        let recipients = curl_slist_append(nil, "<\(to)>")
        defer { curl_slist_free_all(recipients) }
        try check(zx_curl_set_list(curl, CURLOPT_MAIL_RCPT, recipients))
        try check(zx_curl_set_number(curl, CURLOPT_UPLOAD, 1))
        let rest = Rest(mail)
        try check(
            zx_curl_set_reader(
                curl,
                { buffer, size, count, context in
                    guard let buffer, let context else { return 0 }
                    let rest = Unmanaged<Rest>.fromOpaque(context).takeUnretainedValue()
                    let taken = rest.bytes.prefix(size * count)
                    taken.withUnsafeBytes { UnsafeMutableRawPointer(buffer).copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(buffer), byteCount: $0.count) }
                    rest.bytes = rest.bytes.dropFirst(taken.count)
                    return taken.count
                }, Unmanaged.passUnretained(rest).toOpaque()))
        let code = withExtendedLifetime(rest) { curl_easy_perform(curl) }
        guard code == CURLE_OK else {
            var answer = 0
            _ = withUnsafeMutablePointer(to: &answer) { zx_curl_get_number(curl, CURLINFO_RESPONSE_CODE, $0) }
            let words = String(cString: curl_easy_strerror(code))
            throw Failure(server: shown, reason: answer > 0 ? "\(words) (the server's answer: \(answer))" : words)
        }
    }
}
