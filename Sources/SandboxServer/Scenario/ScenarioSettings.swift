import BackupCore

/// Commands of a scenario on identities, signatures and data sources.
extension ScenarioRun {
    /// Creates the entry, or changes attributes of the one of that name.
    func set(_ kind: AccountChild.Kind, _ step: Scenario.Step) throws -> String {
        let (address, name) = (step.words[0], step.words[1])
        guard let account = try server.findAccount(address) else { throw missing(step, "account \(address)") }
        var attributes = try self.attributes(step, after: 2)
        if account.children.contains(where: { $0.kind == kind && $0.name.lowercased() == name.lowercased() }) {
            try server.modifyChild(kind, named: name, ofAccount: account.id, attributes: attributes)
            return "changed \(kind.rawValue) \(name)"
        }
        attributes[kind.nameAttribute] = [name]
        let id = try server.addChild(AccountChild(kind, attributes: attributes), toAccount: account.id)
        return "\(kind.rawValue) \(name) is \(id)"
    }

    func delete(_ kind: AccountChild.Kind, _ step: Scenario.Step) throws -> String {
        try server.deleteChild(kind, named: step.words[1], ofAccount: step.words[0])
        return "deleted \(kind.rawValue) \(step.words[1])"
    }
}
