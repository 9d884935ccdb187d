#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@main
struct ZxBackup {
    static func main() {
        let status = CommandLineProgram(console: .standard).run(Array(CommandLine.arguments.dropFirst()))
        exit(status.rawValue)
    }
}
