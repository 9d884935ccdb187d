import Foundation

/// All runs by work and tool.
struct Results {
    let kind: String
    let messages: Int
    let sourceBytes: Int
    let sourceFiles: Int
    /// In the order in which they came.
    private(set) var works: [String] = []
    private var runs: [String: [String: [Run]]] = [:]
    private var usage: [String: (bytes: Int, inodes: Int)] = [:]

    static let peers = ["restic", "borg"]

    init(kind: String, messages: Int, sourceBytes: Int, sourceFiles: Int) {
        (self.kind, self.messages, self.sourceBytes, self.sourceFiles) = (kind, messages, sourceBytes, sourceFiles)
    }

    mutating func add(_ run: Run, _ work: String, _ tool: String) {
        if !works.contains(work) { works.append(work) }
        runs[work, default: [:]][tool, default: []].append(run)
    }

    mutating func use(_ usage: (bytes: Int, inodes: Int), _ tool: String) { self.usage[tool] = usage }

    /// Minimum, median and maximum of the seconds; nil where the tool does not do that.
    func times(_ work: String, _ tool: String) -> (least: Double, median: Double, most: Double)? {
        let sorted = (runs[work]?[tool] ?? []).map(\.seconds).sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        return (first, sorted[sorted.count / 2], last)
    }

    /// The peer's median over ours: above 1, we are faster.
    func ratio(_ work: String, to peer: String) -> Double? {
        guard let theirs = times(work, peer), let ours = times(work, "ours") else { return nil }
        return theirs.median / ours.median
    }

    /// An object by work.
    func json() throws -> Data {
        var object: [String: Any] = ["source": ["kind": kind, "messages": messages, "bytes": sourceBytes, "files": sourceFiles]]
        for work in works {
            var members: [String: Any] = [:]
            for (tool, runs) in runs[work] ?? [:] {
                members[tool] = runs.map(\.seconds)
                members["processor_seconds_\(tool)"] = runs.map(\.processorSeconds)
                members["peak_memory_\(tool)"] = runs.map(\.peakMemory).max()
            }
            for peer in Self.peers { if let ratio = ratio(work, to: peer) { members["ratio_to_\(peer)"] = ratio } }
            if work == "first scan" {
                for (tool, usage) in usage {
                    members["bytes_\(tool)"] = usage.bytes
                    members["inodes_\(tool)"] = usage.inodes
                }
            }
            object[work] = members
        }
        return try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
    }

    // MARK: The page

    func page(_ machine: Machine) -> (text: String, chart: String) {
        var lines = [
            "### \(kind): \(messages) messages, \(sourceBytes >> 20) MB in \(sourceFiles) files and folders", "", machine.text, "",
            "Seconds: median (least to most) of \(runs["first scan"]?["ours"]?.count ?? 0) runs, taken in turn. Ratio: the peer's median over ours; above 1, ours is faster.",
            "", "| work | ours | restic | borg | to restic | to borg | our peak memory | our processor seconds |", "|---|---|---|---|---|---|---|---|",
        ]
        for work in works {
            let cells = (["ours"] + Self.peers).map { tool in times(work, tool).map { Self.text($0) } ?? "" }
            let ratios = Self.peers.map { peer in ratio(work, to: peer).map { String(format: "%.2f", $0) } ?? "" }
            let own = runs[work]?["ours"] ?? []
            let memory = (own.map(\.peakMemory).max() ?? 0) >> 20
            let processor = own.map(\.processorSeconds).sorted()[own.count / 2]
            lines.append("| \(([work] + cells + ratios).joined(separator: " | ")) | \(memory) MB | \(String(format: "%.2f", processor)) |")
        }
        lines += ["", "After the first scan:", "", "| tool | bytes | of the source | inodes |", "|---|---|---|---|"]
        for tool in ["ours"] + Self.peers {
            guard let usage = usage[tool] else { continue }
            lines.append("| \(tool) | \(usage.bytes >> 20) MB | \(String(format: "%.1f", Double(usage.bytes) / Double(sourceBytes) * 100)) % | \(usage.inodes) |")
        }
        return (lines.joined(separator: "\n") + "\n", chart())
    }

    /// Puts the section of this kind of mail into the page, between its marks.
    func insert(_ text: String, into file: String) throws {
        let page = try String(contentsOfFile: file, encoding: .utf8)
        let (begin, end) = ("<!-- \(kind) -->", "<!-- end of \(kind) -->")
        guard let start = page.range(of: begin), let stop = page.range(of: end), start.upperBound <= stop.lowerBound else {
            throw Failed(description: "\(file) has no place for \(kind): '\(begin)' and '\(end)'")
        }
        let name = (file as NSString).lastPathComponent.replacingOccurrences(of: ".md", with: "-\(kind).svg")
        let chart = "\n![Times beside restic and borg, a log scale](\(name))\n"
        try Data((page[..<start.upperBound] + "\n\n" + text + chart + "\n" + page[stop.lowerBound...]).utf8).write(to: URL(fileURLWithPath: file))
    }

    private static func text(_ times: (least: Double, median: Double, most: Double)) -> String {
        func seconds(_ value: Double) -> String { String(format: value < 1 ? "%.3f" : "%.2f", value) }
        return "\(seconds(times.median)) (\(seconds(times.least))–\(seconds(times.most)))"
    }

    /// Bars by work and tool; the scale is logarithmic, since a start of 10 ms stands beside minutes.
    private func chart() -> String {
        let shown = works.filter { times($0, "restic") != nil }
        let colours = ["ours": "#1f6f54", "restic": "#8a8f98", "borg": "#c9b458"]
        let (left, width, bar, gap) = (150.0, 520.0, 12.0, 14.0)
        let medians = shown.flatMap { work in (["ours"] + Self.peers).compactMap { times(work, $0)?.median } }
        guard let least = medians.min(), let most = medians.max(), most > 0 else { return "" }
        let (low, high) = (log10(least) - 0.2, log10(most) + 0.05)
        func x(_ value: Double) -> Double { left + width * (log10(value) - low) / (high - low) }
        var body = ""
        var y = 30.0
        for work in shown {
            body += "<text x=\"\(left - 8)\" y=\"\(y + 22)\" text-anchor=\"end\">\(work)</text>\n"
            for tool in ["ours"] + Self.peers {
                guard let median = times(work, tool)?.median else { continue }
                body += "<rect x=\"\(left)\" y=\"\(y)\" width=\"\(x(median) - left)\" height=\"\(bar - 2)\" fill=\"\(colours[tool] ?? "")\"/>\n"
                body += "<text x=\"\(x(median) + 4)\" y=\"\(y + 9)\">\(tool) \(String(format: median < 1 ? "%.3f" : "%.1f", median)) s</text>\n"
                y += bar
            }
            y += gap
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(left + width + 110)" height="\(y + 10)" font-family="sans-serif" font-size="11">
            <rect width="100%" height="100%" fill="white"/>
            <text x="\(left)" y="16" font-size="13">\(kind), \(messages) messages: seconds, logarithmic; shorter is better</text>
            \(body)</svg>

            """
    }
}

/// The machine that a run was made on.
struct Machine {
    var text: String {
        let processor = Self.field("/proc/cpuinfo", "model name") ?? "unknown processor"
        let memory = (Self.field("/proc/meminfo", "MemTotal")?.split(separator: " ").first).flatMap { Int($0) }.map { "\($0 >> 20) GB" } ?? ""
        let kernel = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?.split(separator: "-").first.map(String.init) ?? ""
        return "\(ProcessInfo.processInfo.activeProcessorCount) processors (\(processor)), \(memory) memory, Linux \(kernel.split(separator: "\n").first ?? "")."
    }

    private static func field(_ file: String, _ name: String) -> String? {
        let lines = (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n") ?? []
        guard let line = lines.first(where: { $0.hasPrefix(name) }) else { return nil }
        return line.split(separator: ":", maxSplits: 1).last.map { $0.drop { $0 == " " } }.map(String.init)
    }
}
