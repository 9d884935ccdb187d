/// An entry of the directory one level below an account's: an identity, a signature or a data source (formats/zimbra-ldap.md,
/// sections 2 and 3).
public struct AccountChild: Hashable, Sendable {
    /// What it is.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A sender that the account's owner can choose.
        case identity
        /// A text below the owner's messages.
        case signature
        /// An account elsewhere whose contents are fetched.
        case dataSource = "data source"

        /// The attribute that holds the entry's id.
        public var idAttribute: String {
            switch self {
            case .identity: "zimbraPrefIdentityId"
            case .signature: "zimbraSignatureId"
            case .dataSource: "zimbraDataSourceId"
            }
        }

        /// The attribute that names the entry among those of its kind.
        public var nameAttribute: String {
            switch self {
            case .identity: "zimbraPrefIdentityName"
            case .signature: "zimbraSignatureName"
            case .dataSource: "zimbraDataSourceName"
            }
        }
    }

    /// What it is.
    public var kind: Kind
    /// All attributes of the entry by LDAP name; values in the directory's order.
    public var attributes: [String: [String]]

    /// An entry made of its parts.
    public init(_ kind: Kind, attributes: [String: [String]]) {
        self.kind = kind
        self.attributes = attributes
    }

    /// The entry's id; unique in the account only. Empty where the entry has none.
    public var id: String { self[kind.idAttribute] ?? "" }

    /// The entry's name; unique in the account, among the entries of its kind, without regard to case.
    public var name: String { self[kind.nameAttribute] ?? "" }

    /// The first value of an attribute.
    public subscript(_ attribute: String) -> String? { attributes[attribute]?.first }

    /// For messages to people: "signature 'Work'".
    public var title: String { "\(kind.rawValue) '\(name)'" }
}
