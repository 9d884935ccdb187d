import CGMime

/// The calls to GMime, in one place. Every object belongs to the call that made it, so calls may run on several threads.
enum GMime {
    /// GMime wants to be initialised once per process.
    static let initialized: Void = g_mime_init()

    /// A header's text with its encoded-words decoded; repaired where it is no UTF-8.
    static func decode(_ header: [UInt8]) -> String {
        if header.allSatisfy({ $0 < 0x80 }), !contains(header, "=?") { return String(decoding: header, as: UTF8.self) }
        _ = initialized
        return withCString(header) { text in
            guard let decoded = g_mime_utils_header_decode_text(nil, text) else { return String(decoding: header, as: UTF8.self) }
            defer { g_free(decoded) }
            return String(cString: decoded)
        }
    }

    /// The addresses of a header, groups opened, in order; at most `limit`.
    static func addresses(_ header: [UInt8], limit: Int = 64) -> [MessageSummary.Address] {
        _ = initialized
        return withCString(header) { text in
            guard let list = internet_address_list_parse(nil, text) else { return [] }
            defer { g_object_unref(UnsafeMutableRawPointer(list)) }
            var result: [MessageSummary.Address] = []
            for index in 0..<min(internet_address_list_length(list), CInt(limit)) {
                guard let address = internet_address_list_get_address(list, index) else { continue }
                let name = internet_address_get_name(address).map { String(cString: $0) } ?? ""
                var mail = ""
                if g_type_check_instance_is_a(UnsafeRawPointer(address), internet_address_mailbox_get_type()) != 0,
                    let text = internet_address_mailbox_get_addr(address)
                {
                    mail = String(cString: text)
                }
                if !name.isEmpty || !mail.isEmpty { result.append(.init(name: name, address: mail)) }
            }
            return result
        }
    }

    /// What is found in the parts of a message.
    struct Structure {
        var hasAttachments = false
        var hasCalendar = false
        /// The text of the first calendar part.
        var calendar = ""
        /// The text of the first text part, undecodable bytes repaired.
        var text = ""
        var isHTML = false
    }

    /// Parses a whole message.
    static func structure(of message: UnsafeRawBufferPointer) -> Structure {
        var structure = Structure()
        var hasText = false
        forEachPart(of: message) { visit($0, &structure, &hasText) }
        return structure
    }

    /// Parses a message, and visits its parts and those of the messages in it, at most a thousand.
    private static func forEachPart(of message: UnsafeRawBufferPointer, _ visit: (OpaquePointer) -> Void) {
        _ = initialized
        guard let base = message.baseAddress?.assumingMemoryBound(to: CChar.self),
            let stream = g_mime_stream_mem_new_with_buffer(base, message.count)
        else { return }
        defer { g_object_unref(UnsafeMutableRawPointer(stream)) }
        guard let parser = g_mime_parser_new_with_stream(stream) else { return }
        defer { g_object_unref(UnsafeMutableRawPointer(parser)) }
        guard let parsed = g_mime_parser_construct_message(parser, nil) else { return }
        defer { g_object_unref(UnsafeMutableRawPointer(parsed)) }
        guard let top = g_mime_message_get_mime_part(parsed), let iterator = g_mime_part_iter_new(top) else { return }
        defer { g_mime_part_iter_free(iterator) }
        var parts = 0
        while g_mime_part_iter_is_valid(iterator) != 0, parts < 1000 {
            if let part = g_mime_part_iter_get_current(iterator) { visit(part) }
            parts += 1
            if g_mime_part_iter_next(iterator) == 0 { break }
        }
    }

    /// The plain texts of a calendar item's invites by their ids: the content is a digest of one message for each, whose part names
    /// the invite in the header `invId` (formats/zimbra-items.md, section 4).
    static func inviteTexts(of content: UnsafeRawBufferPointer) -> [Int64: String] {
        var texts: [Int64: String] = [:]
        var invite: Int64?
        forEachPart(of: content) { part in
            if let id = g_mime_object_get_header(part, "invId").flatMap({ Int64(String(cString: $0).filter(\.isNumber)) }) { invite = id }
            guard let id = invite, texts[id] == nil, let type = g_mime_object_get_content_type(part),
                g_mime_content_type_is_type(type, "text", "plain") != 0,
                g_type_check_instance_is_a(UnsafeRawPointer(part), g_mime_text_part_get_type()) != 0,
                let text = g_mime_text_part_get_text(part)
            else { return }
            defer { g_free(text) }
            texts[id] = String(cString: text)
        }
        return texts
    }

    private static func visit(_ part: OpaquePointer, _ structure: inout Structure, _ hasText: inout Bool) {
        guard let type = g_mime_object_get_content_type(part) else { return }
        let media = g_mime_content_type_get_media_type(type).map { String(cString: $0).lowercased() } ?? "text"
        let subtype = g_mime_content_type_get_media_subtype(type).map { String(cString: $0).lowercased() } ?? "plain"
        if media == "multipart" { return }
        let disposition = g_mime_object_get_disposition(part).map { String(cString: $0).lowercased() }
        if media == "text", subtype == "calendar" {
            structure.hasCalendar = true
            if structure.calendar.isEmpty, g_type_check_instance_is_a(UnsafeRawPointer(part), g_mime_text_part_get_type()) != 0,
                let text = g_mime_text_part_get_text(part)
            {
                defer { g_free(text) }
                structure.calendar = String(cString: text)
            }
        }
        if media == "text", disposition != "attachment" {
            let isHTML = subtype == "html"
            guard subtype == "plain" || isHTML, !hasText || (structure.isHTML && !isHTML),
                g_type_check_instance_is_a(UnsafeRawPointer(part), g_mime_text_part_get_type()) != 0,
                let text = g_mime_text_part_get_text(part)
            else { return }
            defer { g_free(text) }
            structure.text = String(cString: text)
            structure.isHTML = isHTML
            hasText = true
        } else if disposition == "inline" || disposition == nil, media == "image", g_mime_object_get_content_id(part) != nil {
            return  // A picture that belongs into the text.
        } else if media == "application", subtype.hasSuffix("signature") {
            return
        } else {
            structure.hasAttachments = true
        }
    }

    private static func withCString<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        var terminated = bytes.map { $0 == 0 ? 32 : $0 }
        terminated.append(0)
        return terminated.withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }

    private static func contains(_ bytes: [UInt8], _ text: StaticString) -> Bool {
        bytes.withUnsafeBytes { memory in
            UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).withMemoryRebound(to: UInt8.self) { wanted in
                guard memory.count >= wanted.count else { return false }
                return (0...(memory.count - wanted.count)).contains { memory[$0] == wanted[0] && memory[$0 + 1] == wanted[1] }
            }
        }
    }
}
