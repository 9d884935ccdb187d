import BackupStore

/// The settings of an account as another account can have them: what does not travel is left out, and ids become the new ones
/// (formats/zimbra-ldap.md, section 5, "To be mapped when ids change").
struct SettingsTranslation {
    /// The account whose settings they were.
    let source: AccountEntry
    /// Id of the account that gets them.
    let destination: String
    let isSameServer: Bool
    /// The target's id of an item of the backup; nil where it has none.
    let item: (Int64) throws -> Int64?
    /// Whether the target has the account with an id.
    let hasAccount: (String) throws -> Bool
    /// Signature of the backup -> signature of the target.
    var signatures: [String: String] = [:]
    /// What does not come along, by name, with the reason.
    private(set) var missed: [(name: String, reason: String)] = []

    init(
        source: AccountEntry, destination: String, isSameServer: Bool, item: @escaping (Int64) throws -> Int64?,
        hasAccount: @escaping (String) throws -> Bool
    ) {
        self.source = source
        self.destination = destination
        self.isSameServer = isSameServer
        self.item = item
        self.hasAccount = hasAccount
    }

    /// The "no signature" that web clients choose: no signature has this id.
    private static let noSignature = "11111111-1111-1111-1111-111111111111"

    /// Those attributes of the account itself whose names satisfy a condition.
    mutating func account(where condition: (String) -> Bool) throws -> [String: [String]] {
        try translated(source.attributes.filter { condition($0.key) }, of: nil)
    }

    /// An identity or signature, or a data source that is switched off: what it fetched before is not known where it is restored.
    ///
    /// - Returns: nil where the entry cannot come along.
    mutating func child(_ child: AccountChild) throws -> AccountChild? {
        if child.kind == .dataSource {
            if ["rss", "cal"].contains(child["zimbraDataSourceType"]?.lowercased()) {
                missed.append((child.title, "the server makes it from the feed of its folder"))
                return nil
            }
            if let id = child["zimbraDataSourceFolderId"].flatMap({ Int64($0) }), try item(id) == nil {
                missed.append((child.title, "its folder \(id) was not restored"))
                return nil
            }
        }
        var result = child
        result.attributes = try translated(child.attributes, of: child)
        if child.kind == .dataSource, child["zimbraDataSourceEnabled"] == "TRUE" {
            result.attributes["zimbraDataSourceEnabled"] = ["FALSE"]
            missed.append(
                ("\(child.title), zimbraDataSourceEnabled", "it is switched off: it would fetch again what it had fetched"))
        }
        return result
    }

    private mutating func translated(_ attributes: [String: [String]], of child: AccountChild?) throws -> [String: [String]] {
        var result: [String: [String]] = [:]
        for (name, values) in attributes.sorted(by: { $0.key < $1.key }) {
            let title = child.map { "\($0.title), \(name)" } ?? name
            switch TravellingAttributes.fate(of: name, values, sameServer: isSameServer) {
            case .stays: continue
            case .isMissed(let reason): missed.append((title, reason))
            case .travels:
                let new = try values.compactMap { try translated($0, of: name, title) }
                if !new.isEmpty { result[name] = new }
            }
        }
        return result
    }

    /// A value with the new account's ids; nil where it does not hold there.
    private mutating func translated(_ value: String, of name: String, _ title: String) throws -> String? {
        switch name.lowercased() {
        case "zimbraprefdefaultsignatureid", "zimbraprefforwardreplysignatureid": return signature(value, title)
        case "zimbraprefmailfolderscheckedfornewmsgindicator", "zimbraprefdefaultcalendarid", "zimbraprefmailsignaturecontactid",
            "zimbradatasourcefolderid":
            return try items(value, title)
        case "zimbraprefidentityid": return isSource(value) ? destination : value
        case "zimbrachildaccount", "zimbraprefchildvisibleaccount": return try account(value, title)
        case "zimbracosid":
            if isSameServer { return value }
            missed.append((title, "class of service \(value) is the source server's"))
            return nil
        case "zimbraace": return try right(value, title)
        default: return value
        }
    }

    private mutating func signature(_ id: String, _ title: String) -> String? {
        if id == Self.noSignature || source["zimbraSignatureId"] == id { return id }
        if let new = signatures[id] { return new }
        missed.append((title, "signature \(id) is not there"))
        return nil
    }

    /// One item or several, separated by commas. Items of other accounts, and what is no item, stay.
    private mutating func items(_ text: String, _ title: String) throws -> String? {
        let ids = try text.split(separator: ",", omittingEmptySubsequences: false).compactMap { word -> String? in
            let parts = word.split(separator: ":")
            guard let id = parts.last.flatMap({ Int64($0) }), parts.count == 1 || parts.count == 2 && isSource(String(parts[0]))
            else { return String(word) }
            if let new = try item(id) { return "\(new)" }
            missed.append((title, "item \(id) was not restored"))
            return nil
        }
        return ids.isEmpty ? nil : ids.joined(separator: ",")
    }

    private mutating func account(_ id: String, _ title: String) throws -> String? {
        if isSource(id) { return destination }
        if try isSameServer || hasAccount(id) { return id }
        missed.append((title, "account \(id) is the source server's"))
        return nil
    }

    /// `grantee type right`: grantees that are accounts, lists, domains or classes of service are named by their ids.
    private mutating func right(_ value: String, _ title: String) throws -> String? {
        let words = value.split(separator: " ", maxSplits: 2)
        guard words.count == 3 else { return value }
        switch words[1] {
        case "usr": return try account(String(words[0]), title).map { "\($0) \(words[1]) \(words[2])" }
        case "grp", "dom", "cos":
            if isSameServer { return value }
            missed.append((title, "\(words[1]) \(words[0]) is the source server's"))
            return nil
        default: return value
        }
    }

    private func isSource(_ id: String) -> Bool { id.lowercased() == source.id.lowercased() }
}
