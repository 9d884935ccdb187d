/// How a mail server's database is reached (formats/zimbra-datastore.md, section 1, "Connecting for a scan").
public struct DatabaseSettings: Sendable, CustomStringConvertible {
    /// Where the database listens.
    public enum Place: Hashable, Sendable {
        /// A Unix socket.
        case socket(String)
        /// A host and its port.
        case network(host: String, port: UInt16)
    }

    /// Where the database listens.
    public var place: Place
    /// Who asks.
    public var user: String
    /// The user's password.
    public var password: String
    /// Seconds until a connection must stand.
    public var connectTimeout: UInt32 = 10
    /// Seconds without a byte after which an answer is given up.
    public var readTimeout: UInt32 = 60

    /// Settings with the time-outs above.
    public init(place: Place, user: String, password: String) {
        self.place = place
        self.user = user
        self.password = password
    }

    /// User and place, without the password.
    public var description: String {
        switch place {
        case .socket(let path): "\(user) at \(path)"
        case .network(let host, let port): "\(user) at \(host):\(port)"
        }
    }
}
