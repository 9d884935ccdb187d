// Builds a backup from a recorded life of a real mail server, restores it at each instant, and compares with the server's own rows.
// Prints each difference that is a defect, the others by kind, and a line of figures. Exit status 1 when there is a defect.

import BackupCore
import Foundation
import SandboxServer
import SystemPackage

guard CommandLine.arguments.count == 2 else {
    print("Usage: make conformance DATASET=<folder with initial/, oracle/, a redo log and a README.md>")
    exit(64)
}
let work = FileManager.default.temporaryDirectory.appending(path: "zxbackup-conformance-\(UUID().uuidString)")

func compare() throws -> ConformanceReport {
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: work) }
    let life = try RecordedLife(FilePath(CommandLine.arguments[1]))
    let target = try SandboxServer.create(at: FilePath(work.appending(path: "target").path), name: "target.example.com")
    return try Conformance(life).run(in: FilePath(work.path), restoringTo: target)
}

do {
    let report = try compare()
    print(report.text)
    print(report.lastLine)
    exit(report.derivable.isEmpty ? 0 : 1)
} catch {
    print("Error: \(error)")
    exit(1)
}
