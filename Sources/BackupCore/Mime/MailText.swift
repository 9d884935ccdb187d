import CGMime
import Foundation

/// Mail that this program writes itself.
package enum MailText {
    /// A message of plain text, dated now.
    ///
    /// - Parameters:
    ///   - from: an address; `to` likewise.
    ///   - subject: any text: what is no ASCII is encoded, a line break cannot begin another header.
    /// - Returns: header and text with CR LF, for SMTP.
    package static func compose(from: String, to: [String], subject: String, text: String) -> [UInt8] {
        _ = GMime.initialized
        guard let message = g_mime_message_new(1), let part = g_mime_text_part_new() else { return [] }
        defer {
            g_object_unref(UnsafeMutableRawPointer(message))
            g_object_unref(UnsafeMutableRawPointer(part))
        }
        g_mime_message_add_mailbox(message, CInt(ZX_GMIME_FROM), nil, from)
        for address in to { g_mime_message_add_mailbox(message, CInt(ZX_GMIME_TO), nil, address) }
        g_mime_message_set_subject(message, subject.split(whereSeparator: \.isNewline).joined(separator: " "), "utf-8")
        if let now = g_date_time_new_now_utc() {
            g_mime_message_set_date(message, now)
            g_date_time_unref(now)
        }
        let domain = from.split(separator: "@").last ?? "localhost"
        g_mime_message_set_message_id(message, "\(UUID().uuidString.lowercased())@\(domain)")
        // Nobody's absence is to answer it (RFC 3834).
        g_mime_object_set_header(message, "Auto-Submitted", "auto-generated", nil)
        g_mime_text_part_set_charset(part, "utf-8")
        g_mime_text_part_set_text(part, text)
        g_mime_part_set_content_encoding(part, CInt(ZX_GMIME_QUOTED_PRINTABLE))
        g_mime_message_set_mime_part(message, part)
        guard let bytes = g_mime_object_to_string(message, nil) else { return [] }
        defer { g_free(bytes) }
        return String(cString: bytes).split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n").utf8.map { $0 }
    }
}
