#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Tells systemd how the service is: sd_notify(3)'s datagrams to the socket that `$NOTIFY_SOCKET` names; nothing without one.
enum SystemdNotification {
    /// The service listens for orders.
    static func ready() { send("READY=1\nSTATUS=looking at the server") }
    static func stopping() { send("STOPPING=1\nSTATUS=ending at the next safe point") }
    static func status(_ words: String) { send("STATUS=\(words.split(whereSeparator: \.isNewline).joined(separator: " "))") }

    /// Nobody depends on these words: a failure to send them is none of the service.
    private static func send(_ text: String) {
        guard let path = environment("NOTIFY_SOCKET"), path.hasPrefix("/") || path.hasPrefix("@") else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        // A name that begins with "@" is one of the abstract namespace: unix(7).
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count)
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(text.utf8)
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length) }
        }
    }
}
