import BackupCore
import CLDAP
import Glibc

/// One connection to a directory, for reading: protocol version 3, a simple bind, answers in pages.
///
/// Not thread-safe: one thread at a time has it.
final class DirectoryConnection {
    private let handle: OpaquePointer
    private let url: String
    private let settings: DirectorySettings

    /// Connects to the first URL that answers.
    ///
    /// - Throws: `CoreError` with `directoryUnreachable`, naming what each URL said.
    static func open(_ settings: DirectorySettings) throws -> DirectoryConnection {
        var reasons: [String] = []
        for url in settings.urls {
            do {
                return try DirectoryConnection(url, settings)
            } catch let error as Refusal {
                reasons.append("\(url): \(error.reason)")
            }
        }
        throw CoreError(
            .directoryUnreachable, doing: "connecting to the directory", subject: "\(settings)",
            reason: reasons.isEmpty ? "no URL is configured" : reasons.joined(separator: "; "),
            remedy: "See whether the directory runs, and whether its password in localconfig.xml is the right one")
    }

    private struct Refusal: Error {
        var reason: String
    }

    private init(_ url: String, _ settings: DirectorySettings) throws {
        var opened: OpaquePointer?
        let code = ldap_initialize(&opened, url)
        guard code == LDAP_SUCCESS, let opened else { throw Refusal(reason: String(cString: ldap_err2string(code))) }
        (handle, self.url, self.settings) = (opened, url, settings)
        func check(_ code: CInt) throws {
            guard code != LDAP_SUCCESS else { return }
            throw Refusal(reason: message(code))
        }
        var version: CInt = 3
        try check(ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version))
        // Referrals lead to servers that were not asked for, with a password.
        try check(ldap_set_option(handle, LDAP_OPT_REFERRALS, nil))
        var limit = timeval(tv_sec: settings.timeout, tv_usec: 0)
        try check(ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &limit))
        try check(ldap_set_option(handle, LDAP_OPT_TIMEOUT, &limit))
        if settings.acceptsUntrustedCertificates {
            var never = CInt(LDAP_OPT_X_TLS_NEVER)
            var isServer: CInt = 0
            try check(ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &never))
            try check(ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &isServer))
        }
        if settings.usesStartTLS, url.hasPrefix("ldap://") { try check(ldap_start_tls_s(handle, nil, nil)) }
        var password = settings.password
        try password.withUTF8 { bytes in
            var credentials = berval(
                bv_len: UInt(bytes.count),
                bv_val: UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: CChar.self))
            try check(ldap_sasl_bind_s(handle, settings.bindDN, nil, &credentials, nil, nil, nil))
        }
    }

    deinit { ldap_unbind_ext_s(handle, nil, nil) }

    private func message(_ code: CInt) -> String {
        var text: UnsafeMutablePointer<CChar>?
        ldap_get_option(handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text)
        defer { ldap_memfree(text) }
        let detail = text.map { String(cString: $0) } ?? ""
        return String(cString: ldap_err2string(code)) + (detail.isEmpty ? "" : " (\(detail))")
    }

    private func failure(_ filter: String, _ base: String, _ reason: String) -> CoreError {
        CoreError(
            .directoryFailed, doing: "searching the directory", subject: "\(url), \(filter) below \"\(base)\"", reason: reason,
            remedy: "Nothing is taken for deleted; it is tried again")
    }

    /// Where a search looks.
    enum Scope {
        /// At the base and at everything below.
        case subtree
        /// At the base alone.
        case base
    }

    /// Hands out every entry that a filter finds, page by page.
    ///
    /// An answer that is not whole throws: what it lacks must not look deleted.
    ///
    /// - Parameters:
    ///   - base: where to search.
    ///   - scope: how far; a base that is not there is an answer without entries where it alone is asked for.
    ///   - attributes: `*` all of users, `+` all of the server.
    ///   - filter: one without anything that strangers wrote (`escaped` makes it so).
    func search(
        _ filter: String, below base: String = "", _ scope: Scope = .subtree, attributes: [String] = ["*"],
        _ body: (RawEntry) throws -> Void
    ) throws {
        var cookie: UnsafeMutablePointer<berval>?
        defer { ber_bvfree(cookie) }
        // Entries as they are kept: else the server adds the members that it computes for a dynamic group.
        var asKept: UnsafeMutablePointer<LDAPControl>?
        guard ldap_control_create(LDAP_CONTROL_MANAGEDSAIT, 0, nil, 1, &asKept) == LDAP_SUCCESS else {
            throw failure(filter, base, "out of memory")
        }
        defer { ldap_control_free(asKept) }
        repeat {
            var control: UnsafeMutablePointer<LDAPControl>?
            guard ldap_create_page_control(handle, settings.pageSize, cookie, 1, &control) == LDAP_SUCCESS else {
                throw failure(filter, base, "out of memory")
            }
            defer { ldap_control_free(control) }
            cookie = try page(filter, base, scope, attributes, [control, asKept], previous: cookie, body)
        } while (cookie?.pointee.bv_len ?? 0) > 0
    }

    /// One page; returns the cookie of the next, in place of the previous one.
    private func page(
        _ filter: String, _ base: String, _ scope: Scope, _ attributes: [String], _ controls: [UnsafeMutablePointer<LDAPControl>?],
        previous: UnsafeMutablePointer<berval>?, _ body: (RawEntry) throws -> Void
    ) throws -> UnsafeMutablePointer<berval>? {
        var names: [UnsafeMutablePointer<CChar>?] = attributes.map { strdup($0) } + [nil]
        defer { names.forEach { free($0) } }
        var controls = controls + [nil]
        var id: CInt = 0
        var limit = timeval(tv_sec: settings.timeout, tv_usec: 0)
        let asked = ldap_search_ext(
            handle, base, scope == .base ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE, filter, &names, 0, &controls, nil, nil, 0, &id)
        guard asked == LDAP_SUCCESS else { throw failure(filter, base, message(asked)) }
        while true {
            var answer: OpaquePointer?
            let kind = ldap_result(handle, id, LDAP_MSG_ONE, &limit, &answer)
            defer { ldap_msgfree(answer) }
            switch kind {
            case CInt(LDAP_RES_SEARCH_ENTRY): try body(RawEntry(handle, answer!))
            case CInt(LDAP_RES_SEARCH_REFERENCE): continue
            case CInt(LDAP_RES_SEARCH_RESULT): return try end(filter, base, scope, answer, previous)
            case 0:
                ldap_abandon_ext(handle, id, nil, nil)
                throw failure(filter, base, "no answer within \(settings.timeout) seconds")
            default:
                var code: CInt = 0
                ldap_get_option(handle, LDAP_OPT_RESULT_CODE, &code)
                throw failure(filter, base, message(code == LDAP_SUCCESS ? CInt(LDAP_SERVER_DOWN) : code))
            }
        }
    }

    /// The result at a page's end.
    private func end(
        _ filter: String, _ base: String, _ scope: Scope, _ answer: OpaquePointer?, _ previous: UnsafeMutablePointer<berval>?
    ) throws -> UnsafeMutablePointer<berval>? {
        var code: CInt = 0
        var controls: UnsafeMutablePointer<UnsafeMutablePointer<LDAPControl>?>?
        let parsed = ldap_parse_result(handle, answer, &code, nil, nil, nil, &controls, 0)
        defer { ldap_controls_free(controls) }
        if parsed == LDAP_SUCCESS, code == LDAP_NO_SUCH_OBJECT, scope == .base {
            ber_bvfree(previous)
            return nil
        }
        guard parsed == LDAP_SUCCESS, code == LDAP_SUCCESS else {
            throw failure(filter, base, message(parsed == LDAP_SUCCESS ? code : parsed))
        }
        guard let page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nil) else {
            throw failure(filter, base, "the server does not answer in pages")
        }
        var next = berval()
        guard ldap_parse_pageresponse_control(handle, page, nil, &next) == LDAP_SUCCESS else {
            throw failure(filter, base, "the server's page is not understood")
        }
        defer { ldap_memfree(next.bv_val) }
        ber_bvfree(previous)
        return ber_bvdup(&next)
    }

    /// Replaces all values of an entry's attribute; none removes the attribute.
    func replace(_ attribute: String, of dn: String, by values: [String]) throws {
        var texts = values.map { strdup($0) }
        let name = strdup(attribute)
        defer { (texts + [name]).forEach { free($0) } }
        let code = texts.withUnsafeMutableBufferPointer { texts -> CInt in
            var bytes = texts.map { berval(bv_len: UInt(strlen($0!)), bv_val: $0) }
            return bytes.withUnsafeMutableBufferPointer { bytes in
                var list: [UnsafeMutablePointer<berval>?] = bytes.indices.map { bytes.baseAddress! + $0 } + [nil]
                return list.withUnsafeMutableBufferPointer { list in
                    var change = LDAPMod()
                    change.mod_op = CInt(LDAP_MOD_REPLACE | LDAP_MOD_BVALUES)
                    change.mod_type = name
                    change.mod_vals.modv_bvals = list.baseAddress
                    return withUnsafeMutablePointer(to: &change) { change in
                        var changes = [change, nil]
                        return ldap_modify_ext_s(handle, dn, &changes, nil, nil)
                    }
                }
            }
        }
        guard code == LDAP_SUCCESS else {
            throw CoreError(
                .directoryFailed, doing: "changing the directory", subject: "\(url), \(attribute) of \(dn)", reason: message(code),
                remedy: "Nothing was changed; the server's own user must be allowed to write there")
        }
    }

    /// A value as it may stand in a filter (RFC 4515).
    static func escaped(_ value: String) -> String {
        value.utf8.reduce(into: "") { result, byte in
            switch byte {
            case 0, UInt8(ascii: "*"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "\\"), 0x80...:
                result += "\\" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            default: result.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
    }
}

/// An entry as it came: attribute by attribute, values as bytes.
struct RawEntry {
    var dn: String
    var attributes: [(name: String, values: [[UInt8]])] = []

    fileprivate init(_ handle: OpaquePointer, _ message: OpaquePointer) {
        let name = ldap_get_dn(handle, message)
        dn = name.map { String(cString: $0) } ?? ""
        ldap_memfree(name)
        var position: OpaquePointer?
        var next = ldap_first_attribute(handle, message, &position)
        while let attribute = next {
            var values: [[UInt8]] = []
            if let list = ldap_get_values_len(handle, message, attribute) {
                for place in 0..<Int(ldap_count_values_len(list)) {
                    guard let value = list[place]?.pointee else { continue }
                    values.append(Array(UnsafeRawBufferPointer(start: value.bv_val, count: Int(value.bv_len))))
                }
                ldap_value_free_len(list)
            }
            attributes.append((String(cString: attribute), values))
            ldap_memfree(attribute)
            next = ldap_next_attribute(handle, message, position)
        }
        ber_free(position, 0)
    }
}
