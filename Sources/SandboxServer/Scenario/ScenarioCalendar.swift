import BackupCore

/// Commands of a scenario on calendars.
extension ScenarioRun {
    func performOnCalendar(_ step: Scenario.Step, in mailbox: SandboxMailbox) throws -> String? {
        let words = step.words
        switch step.command {
        case "appointment", "task":
            let new = try appointment(step)
            let folder = try step.options["folder"].map { try self.folder($0, mailbox, step) }
            let id = try mailbox.setAppointment(
                new, folder: folder, flags: Flags(letters: step.options["flags"] ?? ""), tags: tags(step))
            appointments[key(step)] = new
            return name(step, id, "set \(step.command) \(id)")
        case "exception":
            guard var series = appointments[key(step)], series.days > 1 else { throw missing(step, "series \(words[1]) in this scenario") }
            let day = try number(words[2], step)
            guard day > 0, day <= series.days else { throw Scenario.error(step.line, "the series has \(series.days) days") }
            let instance = series.start + (day - 1) * CalendarText.day
            series.exceptions.removeAll { $0.instance == instance }
            series.exceptions.append(
                .init(
                    instance: instance, start: try step.options["start"].map { try number($0, step) * 1000 },
                    summary: step.options["subject"] ?? series.summary))
            let id = try mailbox.setAppointment(series)
            appointments[key(step)] = series
            return "set day \(day) of \(id)"
        case "answer":
            let id = try item(words[1], mailbox, step)
            try mailbox.answer(try status(words[2], step), appointment: id)
            return "answered \(id)"
        case "reply":
            try mailbox.replyArrived(uid: words[1], from: words[2], status: try status(words[3], step))
            return "\(words[2]) replied to \(words[1])"
        case "dismiss":
            let id = try item(words[1], mailbox, step)
            try mailbox.dismissAlarm(of: id)
            return "dismissed the alarm of \(id)"
        case "snooze":
            let id = try item(words[1], mailbox, step)
            try mailbox.snoozeAlarm(of: id, until: server.options.clock() + (try number(words[2], step)) * 60_000)
            return "put off the alarm of \(id)"
        default: return nil
        }
    }

    private func key(_ step: Scenario.Step) -> String { step.words[0].lowercased() + " " + step.words[1] }

    private func appointment(_ step: Scenario.Step) throws -> NewAppointment {
        func value(_ option: String) throws -> Int64? { try step.options[option].map { try number($0, step) } }
        let now = server.options.clock() / 1000
        let days = try value("days") ?? 1
        let minutes = try value("minutes") ?? 60
        guard (1...1000).contains(days), minutes > 0 else { throw Scenario.error(step.line, "days and minutes are positive") }
        return NewAppointment(
            uid: step.words[1], summary: step.options["subject"] ?? step.words[1], location: step.options["location"] ?? "",
            start: (try value("start") ?? now + 86400) * 1000, duration: minutes * 60, days: Int(days),
            attendees: (step.options["attendees"] ?? "").split(separator: ",").map(String.init), alarm: try value("alarm"),
            isTask: step.command == "task")
    }

    private func status(_ word: String, _ step: Scenario.Step) throws -> String {
        guard ["AC", "TE", "DE"].contains(word.uppercased()) else { throw Scenario.error(step.line, "\"\(word)\" is not AC, TE or DE") }
        return word.uppercased()
    }
}
