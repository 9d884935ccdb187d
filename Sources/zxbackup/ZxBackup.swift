#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@main
struct ZxBackup {
    static func main() {
        // Whatever the caller's umask is: what is made is for the owner alone, and the owner can use it.
        umask(0o077)
        let status = CommandLineProgram(console: .standard).run(Array(CommandLine.arguments.dropFirst()))
        exit(status.rawValue)
    }
}
