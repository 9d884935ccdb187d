// Starts a MariaDB and an OpenLDAP, loads the recorded lives of servers into them, scans them as live servers, restores every
// mailbox, and compares with the rows that the servers had. Exit status 1 when there is a difference.

import BackupCore
import Foundation
import SandboxServer
import ServerTestbed
import SystemPackage

let datasets = CommandLine.arguments.dropFirst().map { FilePath($0) }
guard !datasets.isEmpty else {
    print("Usage: make testbed DATASETS=\"<folder> …\"")
    exit(64)
}
do {
    var total = TestbedOutcome()
    for dataset in datasets {
        let outcome = try TestbedCheck(dataset).run()
        print("\(dataset.lastComponent?.string ?? ""): \(outcome.figures)")
        total.add(outcome)
    }
    total.differences.forEach { print($0) }
    if total.lost > 0 { print("\(total.lost) contents were lost by the servers themselves; the scans named each") }
    print("testbed: \(total.figures)")
    exit(total.differences.isEmpty ? 0 : 1)
} catch {
    print("Error: \(error)")
    exit(1)
}
