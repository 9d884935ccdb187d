/// What of an item's metadata opens something for whoever knows it, and is never shown: passwords and keys of grants to guests,
/// and passwords in the address of a feed.
public enum SecretMetadata {
    /// Begins the doubt that keeps grants which could not be read, verbatim.
    static let grantsDoubt = "grants:"

    /// A metadata text as it may be shown: verbatim where nothing in it is secret.
    public static func shown(_ text: String) -> String {
        // What cannot be looked into is not shown in part.
        guard var map = try? MetadataDictionary(parsing: text) else { return SecretAttributes.placeholder }
        var hides = false
        if var acl = map.dictionary("aclm"), let grants = acl.list("g") {
            acl["g"] = .list(
                grants.map { grant in
                    guard case .dictionary(var entry) = grant else { return grant }
                    for key in ["a", "k"] where entry[key] != nil {
                        entry[key] = .string(SecretAttributes.placeholder)
                        hides = true
                    }
                    return .dictionary(entry)
                })
            map["aclm"] = .dictionary(acl)
        }
        if let url = map.string("url"), let shown = withoutPassword(url) {
            map["url"] = .string(shown)
            hides = true
        }
        return hides ? map.text() : text
    }

    /// A doubt as it may be shown.
    public static func shown(doubt: String) -> String {
        guard doubt.hasPrefix(grantsDoubt), let end = doubt.firstRange(of: "): ") else { return doubt }
        return doubt[..<end.upperBound] + SecretAttributes.placeholder
    }

    /// `https://user:password@host/…` without the password; nil where there is none.
    private static func withoutPassword(_ url: String) -> String? {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let authority = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else { return nil }
        return url[...colon] + SecretAttributes.placeholder + url[at...]
    }
}
