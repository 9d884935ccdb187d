/// Which attributes of an account make sense on another account (formats/zimbra-ldap.md, section 5, "Attributes not to restore").
enum TravellingAttributes {
    /// What becomes of an attribute.
    enum Fate: Equatable {
        case travels
        /// The server gives the new account its own, or it was a moment's state: nobody misses it.
        case stays
        /// It does not hold on another account, which the administrator should know.
        case isMissed(String)
    }

    /// What becomes of an attribute with these values.
    ///
    /// - Parameter sameServer: whether the new account lives where the old one does; a password's hash travels only then.
    static func fate(of name: String, _ values: [String], sameServer: Bool) -> Fate {
        let folded = name.lowercased()
        if values.isEmpty || bound.contains(folded) { return .stays }
        switch folded {
        case "userpassword", "zimbrapasswordmustchange":
            return sameServer ? .travels : .isMissed("passwords stay with their server")
        case "zimbraaccountstatus":
            return values == ["active"] ? .stays : .isMissed("it was \(values[0]); the new account is active")
        case "zimbramailstatus":
            return values == ["enabled"] ? .stays : .isMissed("it was \(values[0]); the new account receives mail")
        case _ where folded.hasPrefix("zimbratwofactorauth"), "zimbraappspecificpassword":
            return .isMissed("it is bound to the source account: set it up anew")
        default: return missed[folded].map { .isMissed($0) } ?? .travels
        }
    }

    /// What would cause something while items are being written, or lock people in or out: these come last.
    static func isLast(_ name: String) -> Bool { last.contains(name.lowercased()) }

    /// The signature that the server keeps in the account's own entry.
    static func isOwnSignature(_ name: String) -> Bool { ownSignature.contains(name.lowercased()) }

    private static let ownSignature: Set<String> = [
        "zimbrasignatureid", "zimbrasignaturename", "zimbraprefmailsignature", "zimbraprefmailsignaturehtml",
        "zimbraprefmailsignaturecontactid",
    ]

    private static let last: Set<String> = [
        "zimbraprefmailforwardingaddress", "zimbramailforwardingaddress", "zimbrainterceptaddress",
        "zimbraprefmaillocaldeliverydisabled", "zimbramailquota", "zimbraace",
    ]

    /// Addresses and memberships of the source account.
    private static let missed = [
        "zimbramailalias": "the aliases are the source account's: add those that are free",
        "zimbramemberof": "the server sets it: add the account to its groups",
        "zimbraforeignprincipal": "it names one account only",
        "zimbramailcanonicaladdress": "it is an address of the source account",
        "zimbramailcatchalladdress": "one account only receives what is for nobody else",
        "zimbramailcatchallcanonicaladdress": "it is an address of the source account",
    ]

    /// What the server computes itself, what was a moment's state, and what belongs to an installation; in lower case.
    private static let bound: Set<String> = [
        // Names and places: the server gives new ones.
        "objectclass", "uid", "zimbraid", "mail", "zimbramailaddress", "zimbramaildeliveryaddress", "zimbramailhost",
        "zimbramailtransport", "entryuuid", "entrydn", "entrycsn", "creatorsname", "createtimestamp", "modifiersname",
        "modifytimestamp", "structuralobjectclass", "subschemasubentry", "hassubordinates", "zimbraoldmailaddress",
        "zimbraunicodename", "zimbrapasswordhistory",
        // Moments.
        "zimbracreatetimestamp", "zimbralastlogontimestamp", "zimbrapasswordmodifiedtime", "zimbraauthtokens",
        "zimbraauthtokenvalidityvalue", "zimbracsrftokendata", "zimbrainvalidjwtokens", "zimbrapasswordlockoutfailuretime",
        "zimbrapasswordlockoutlockedtime", "zimbramaillastpurgetimestamp", "zimbralastpurgemaxduration", "zimbrareindexstatus",
        "zimbradatasourcelasterror", "zimbradatasourcefailingsince",
        // Shares name the folders of the old account's mailbox; the server publishes those of the new one.
        "zimbrashareditem", "zimbrashareinfo",
        // Of an installation.
        "zimbragalaccountid", "zimbraauthtokenkey", "zimbracsrftokenkey",
    ]
}
