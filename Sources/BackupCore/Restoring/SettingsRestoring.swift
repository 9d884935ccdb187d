/// Brings an account's settings to the account that a restore made: preferences, filters, signatures, identities, data sources,
/// as they were at the moment. What the target refuses is named, and the rest goes through.
struct SettingsRestoring {
    let target: any MailTarget
    /// Id of the account that the restore made.
    let destination: String
    /// Whether data sources come along.
    let includesDataSources: Bool
    /// Set whatever the source had.
    let overriding: [String: [String]]

    /// Restores them, when all items that they refer to are there.
    ///
    /// - Throws: `stopped`, and what looking at the new account throws. What the target refuses is in the report.
    func run(_ translation: SettingsTranslation, into report: inout RestoreReport) throws {
        var translation = translation
        // The account's own signature comes before its others: a server keeps the first one there.
        try set(try translation.account(where: TravellingAttributes.isOwnSignature), &report)
        let there = try target.findAccount(destination)?.children ?? []
        // Signatures before what names them.
        for kind in [AccountChild.Kind.signature, .identity, .dataSource] where includesDataSources || kind != .dataSource {
            for child in translation.source.children where child.kind == kind { try restore(child, there, &translation, &report) }
        }
        let rest = try translation.account { !TravellingAttributes.isOwnSignature($0) }.merging(overriding) { $1 }
        try set(rest.filter { !TravellingAttributes.isLast($0.key) }, &report)
        try set(rest.filter { TravellingAttributes.isLast($0.key) }, &report)
        for (name, reason) in translation.missed { report.miss(name, reason) }
        if let lifetime = rest["zimbraMailMessageLifetime"]?.first, !lifetime.hasPrefix("0") {
            report.warn("zimbraMailMessageLifetime is \(lifetime): the next purge removes what is older from the new account.")
        }
    }

    /// Sets attributes together; where the target refuses, one by one.
    private func set(_ attributes: [String: [String]], _ report: inout RestoreReport) throws {
        guard !attributes.isEmpty else { return }
        if try attempt({ try target.modifyAccount(destination, attributes: attributes) }) == nil {
            report.settings += Int64(attributes.count)
            return
        }
        for (name, values) in attributes.sorted(by: { $0.key < $1.key }) {
            if let refusal = try attempt({ try target.modifyAccount(destination, attributes: [name: values]) }) {
                report.refuse(name, words(refusal, without: [name: values]))
            } else {
                report.settings += 1
            }
        }
    }

    private func restore(
        _ child: AccountChild, _ there: [AccountChild], _ translation: inout SettingsTranslation, _ report: inout RestoreReport
    ) throws {
        // An interrupted run may have made it.
        if let made = there.first(where: { $0.kind == child.kind && $0.name.lowercased() == child.name.lowercased() }) {
            if child.kind == .signature { translation.signatures[child.id] = made.id }
            report.settings += 1
            return
        }
        guard let new = try translation.child(child) else { return }
        var id = ""
        if let refusal = try attempt({ id = try target.addChild(new, toAccount: destination) }) {
            return report.refuse(child.title, words(refusal, without: new.attributes))
        }
        if child.kind == .signature { translation.signatures[child.id] = id }
        report.settings += 1
    }

    /// What the target says against it; nil when it is done.
    private func attempt(_ body: () throws -> Void) throws -> (any Error)? {
        do {
            try body()
            return nil
        } catch let error as CoreError where error.code == .stopped {
            throw error
        } catch {
            return error
        }
    }

    /// A refusal in words, which may repeat what it was given: secrets are taken out.
    private func words(_ refusal: any Error, without attributes: [String: [String]]) -> String {
        var text = "\(refusal)"
        for (name, values) in attributes where SecretAttributes.contains(name) {
            for value in values where !value.isEmpty { text = text.replacing(value, with: SecretAttributes.placeholder) }
        }
        return text
    }
}
