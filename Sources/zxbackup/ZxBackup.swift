@main
struct ZxBackup {
    static func main() {}
}
