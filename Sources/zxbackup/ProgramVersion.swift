/// The version of the program, as packages and notifications name it.
enum ProgramVersion {
    static let text = "0.1.0"
}
