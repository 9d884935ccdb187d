import SystemPackage

/// Commands of a scenario on blob volumes.
extension ScenarioRun {
    func changeVolume(_ step: Scenario.Step) throws -> String {
        let name = step.words[0]
        switch step.command {
        case "volume":
            let compresses = ["yes", "true"].contains(step.options["compress"]?.lowercased())
            let id = try server.createVolume(named: name, at: FilePath(step.words[1]), compresses: compresses)
            return "volume \(name) is \(id)"
        case "current-volume":
            try server.setCurrentVolume(volume(name, step))
            return "new contents go to volume \(name)"
        case "rename-volume":
            try server.renameVolume(volume(name, step), to: step.words[1])
            return "renamed volume \(name) to \(step.words[1])"
        default:
            try server.deleteVolume(volume(name, step))
            return "deleted volume \(name)"
        }
    }

    private func volume(_ name: String, _ step: Scenario.Step) throws -> Int64 {
        guard let id = try server.volumeID(named: name) else { throw missing(step, "volume \(name)") }
        return id
    }
}
