/// Which attributes of an account make sense on another account.
enum TravellingAttributes {
    /// Attributes of an account that a new account may have too.
    ///
    /// - Parameter sameServer: whether the new account lives where the old one does; a password's hash travels only then.
    static func of(_ account: AccountEntry, sameServer: Bool) -> [String: [String]] {
        account.attributes.filter { name, values in
            let folded = name.lowercased()
            if folded == "userpassword" { return sameServer }
            return !values.isEmpty && !bound.contains(folded)
        }
    }

    /// What the server computes itself, what names one account only, and what was a moment's state; in lower case.
    private static let bound: Set<String> = [
        // Names and places: the server gives new ones.
        "objectclass", "uid", "zimbraid", "mail", "zimbramaildeliveryaddress", "zimbramailalias", "zimbramailhost",
        "zimbramailtransport", "zimbramailcanonicaladdress", "zimbramailcatchalladdress", "zimbramailcatchallcanonicaladdress",
        "zimbraforeignprincipal", "entryuuid", "entrydn", "entrycsn", "creatorsname", "createtimestamp", "modifiersname",
        "modifytimestamp", "structuralobjectclass", "zimbraoldmailaddress", "zimbraunicodename",
        // Moments.
        "zimbracreatetimestamp", "zimbralastlogontimestamp", "zimbrapasswordmodifiedtime", "zimbraauthtokens",
        "zimbraauthtokenvalidityvalue", "zimbrainvalidjwtokens", "zimbrapasswordlockoutfailuretime",
        "zimbrapasswordlockoutlockedtime", "zimbramaillastpurgetimestamp", "zimbralastpurgemaxduration",
        "zimbraaccountstatus", "zimbramailstatus", "zimbrareindexstatus", "zimbrapasswordmustchange",
        // Shares name the folders of the old account's mailbox.
        "zimbrashareditem", "zimbrashareinfo",
    ]
}
