import BackupCore
import Foundation
#if canImport(FoundationXML)
import FoundationXML
#endif
import SystemPackage

/// A host's `localconfig.xml`: where its database and directory are, with the secrets for both
/// (formats/zimbra-datastore.md, section 1).
///
/// No text that this type makes shows a value.
public struct LocalConfig: Sendable, CustomStringConvertible {
    /// Larger files are none.
    private static let longest = 4 << 20
    /// References deeper than this go in circles.
    private static let deepest = 32

    /// The file.
    public let path: FilePath
    /// Whether the server is a Carbonio.
    public let isCarbonio: Bool
    private let stored: [String: String]

    /// Reads the file of a server's home.
    ///
    /// - Throws: `CoreError` with `configuration`, naming the file and what it lacks.
    public init(home: FilePath) throws {
        let path = home.appending("conf/localconfig.xml")
        self.path = path
        var bytes = Data()
        do {
            let file = try FileDescriptor.open(path, .readOnly)
            try file.closeAfter {
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while case let count = try buffer.withUnsafeMutableBytes({ try file.read(into: $0) }), count > 0 {
                    bytes += buffer[..<count]
                    if bytes.count > Self.longest { throw Self.failure(path, "it is longer than \(Self.longest) bytes") }
                }
            }
        } catch let error as Errno {
            throw Self.failure(
                path, "\(error)",
                error == .permissionDenied
                    ? "Let the service's user read it: chgrp and mode 0640" : "Name the mail server's home in 'server:'")
        }
        let document = KeyDocument()
        let parser = XMLParser(data: bytes)
        parser.shouldResolveExternalEntities = false
        parser.delegate = document
        guard parser.parse(), document.isWhole else {
            let reason = parser.parserError?.localizedDescription ?? "it has no whole root element"
            throw Self.failure(path, "it is no localconfig: \(reason)")
        }
        stored = document.keys
        let named = document.keys["zimbra_home"] ?? home.string
        isCarbonio = named.hasSuffix("/zextras") || document.keys["zimbra_user"] == "zextras"
    }

    /// The homes of the servers that are known, in the order in which they are looked for.
    public static let homes: [FilePath] = ["/opt/zimbra", "/opt/zextras"]

    private static func failure(_ path: FilePath, _ reason: String, _ remedy: String = "") -> CoreError {
        CoreError(.configuration, doing: "reading the mail server's configuration", subject: path.string, reason: reason, remedy: remedy)
    }

    /// What a key says, references expanded; nil where it has neither value nor default.
    ///
    /// - Throws: `CoreError` with `configuration` for a reference to nothing or in a circle.
    public func value(_ key: String) throws -> String? { try value(key, depth: 0) }

    private func value(_ key: String, depth: Int) throws -> String? {
        guard let text = stored[key] ?? defaults[key] else { return nil }
        guard depth < Self.deepest else { throw Self.failure(path, "key \(key) refers to itself") }
        var result = ""
        var rest = text[...]
        while let start = rest.range(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            result += rest[..<start.lowerBound]
            let name = String(rest[start.upperBound..<end])
            guard let part = try value(name, depth: depth + 1) else {
                throw Self.failure(path, "key \(key) refers to \(name), which has no value")
            }
            result += part
            // Doubling upon doubling fills memory before it goes in circles.
            guard result.utf8.count < Self.longest else { throw Self.failure(path, "key \(key) grows without end") }
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private var defaults: [String: String] {
        [
            "zimbra_home": path.removingLastComponent().removingLastComponent().string,
            "zimbra_user": isCarbonio ? "zextras" : "zimbra",
            "zimbra_server_hostname": "localhost",
            "zimbra_mysql_user": isCarbonio ? "zextras" : "zimbra",
            "zimbra_mysql_password": isCarbonio ? "zextras" : "zimbra",
            "mysql_port": "7306",
            "mysql_socket": isCarbonio ? "/run/carbonio/mysql.sock" : "${zimbra_home}/data/tmp/mysql/mysql.sock",
            "zimbra_ldap_userdn": "uid=zimbra,cn=admins,cn=zimbra",
            "zimbra_ldap_password": "zimbra",
            "ldap_starttls_supported": "0",
            "ssl_allow_untrusted_certs": "false",
            "zimbra_relative_volume_path": "false",
            "zimbra_class_store": "com.zimbra.cs.store.file.FileBlobStore",
            "debug_disable_mailbox_group": "false",
        ]
    }

    /// The file's name: what it says is nobody's business.
    public var description: String { path.string }
}

/// The keys of a localconfig; the last of a name wins.
private final class KeyDocument: NSObject, XMLParserDelegate {
    private(set) var keys: [String: String] = [:]
    /// Whether the root element was one, and came to its end.
    private(set) var isWhole = false
    private var open: [String] = []
    private var name: String?
    private var text = ""

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?, attributes: [String: String]
    ) {
        open.append(element)
        if open == ["localconfig", "key"] { name = attributes["name"] }
        text = ""
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(_ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?) {
        if open == ["localconfig", "key", "value"], let name { keys[name] = text }
        if open == ["localconfig"] { isWhole = true }
        open.removeLast()
    }
}

extension DatabaseSettings {
    /// The database of a mail server: its socket where there is one, else its address.
    ///
    /// - Throws: `CoreError` with `configuration`.
    public init(_ configuration: LocalConfig) throws {
        let user = try configuration.value("zimbra_mysql_user") ?? ""
        let password = try configuration.value("zimbra_mysql_password") ?? ""
        let socket = try configuration.value("mysql_socket") ?? ""
        if access(socket, F_OK) == 0 {
            self.init(place: .socket(socket), user: user, password: password)
            return
        }
        let port = try configuration.value("mysql_port") ?? ""
        guard let number = UInt16(port) else {
            throw CoreError(
                .configuration, doing: "reading the mail server's configuration", subject: configuration.path.string,
                reason: "mysql_port is no port")
        }
        let host = try configuration.value("mysql_bind_address") ?? "127.0.0.1"
        self.init(place: .network(host: host, port: number), user: user, password: password)
    }
}

extension DirectorySettings {
    /// The directory of a mail server, a replica first where there is one.
    ///
    /// - Throws: `CoreError` with `configuration`.
    public init(_ configuration: LocalConfig) throws {
        var urls: [String] = []
        for key in ["ldap_url", "ldap_master_url"] {
            let named = try (configuration.value(key) ?? "").split(separator: " ").map(String.init)
            urls += named.filter { !urls.contains($0) }
        }
        if urls.isEmpty, let host = try configuration.value("ldap_host"), !host.isEmpty {
            urls = ["ldap://\(host):\(try configuration.value("ldap_port") ?? "389")"]
        }
        self.init(
            urls: urls, bindDN: try configuration.value("zimbra_ldap_userdn") ?? "",
            password: try configuration.value("zimbra_ldap_password") ?? "")
        masterURLs = try (configuration.value("ldap_master_url") ?? "").split(separator: " ").map(String.init)
        usesStartTLS = try configuration.value("ldap_starttls_supported") == "1"
        acceptsUntrustedCertificates = try configuration.value("ssl_allow_untrusted_certs") == "true"
    }
}
