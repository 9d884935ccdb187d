/// How a mail server's directory is reached (formats/zimbra-ldap.md, section 1).
public struct DirectorySettings: Sendable, CustomStringConvertible {
    /// `ldap://`, `ldaps://` or `ldapi://` URLs, tried in this order.
    public var urls: [String]
    /// Where changes are written: the masters; empty where those of ``urls`` take them.
    public var masterURLs: [String] = []
    /// Who asks.
    public var bindDN: String
    /// Its password.
    public var password: String
    /// Whether `ldap://` connections are encrypted by StartTLS before the password is sent.
    public var usesStartTLS = false
    /// Whether a certificate that nobody known signed is accepted, as a stock server does of its own.
    public var acceptsUntrustedCertificates = false
    /// Seconds until a connection must stand, and seconds that an answer may take.
    public var timeout = 30
    /// Entries asked for at a time.
    public var pageSize: Int32 = 1000

    /// Settings with the values above.
    public init(urls: [String], bindDN: String, password: String) {
        self.urls = urls
        self.bindDN = bindDN
        self.password = password
    }

    /// The same for changes.
    var forWriting: DirectorySettings {
        var settings = self
        if !masterURLs.isEmpty { settings.urls = masterURLs }
        return settings
    }

    /// User and places, without the password.
    public var description: String { "\(bindDN) at \(urls.joined(separator: " "))" }
}
