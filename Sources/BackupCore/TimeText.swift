#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Times as people and programs read them.
public enum TimeText {
    /// `dd/MM/yyyy HH:mm:ss` in the time zone of the machine.
    public static func local(_ milliseconds: Int64) -> String { local(second: floorDivide(milliseconds, 1000)) }

    /// The same of a time in seconds.
    public static func local(second: Int64) -> String {
        var seconds = time_t(second)
        var fields = tm()
        guard localtime_r(&seconds, &fields) != nil else { return "second \(second)" }  // No calendar has it.
        let date = "\(two(fields.tm_mday))/\(two(fields.tm_mon + 1))/\(four(Int(fields.tm_year) + 1900))"
        return "\(date) \(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))"
    }

    /// `dd_MM_yy#HH_mm_ss` in the time zone of the machine, as names of archives have it.
    static func fileName(_ milliseconds: Int64) -> String {
        let text = local(milliseconds)
        guard text.count == 19 else { return String(milliseconds) }
        let parts = text.split { "/ :".contains($0) }
        return "\(parts[0])_\(parts[1])_\(parts[2].suffix(2))#\(parts[3])_\(parts[4])_\(parts[5])"
    }

    /// `dd/MM/yyyy` in the time zone of the machine.
    static func day(_ milliseconds: Int64) -> String { String(local(milliseconds).prefix { $0 != " " }) }

    /// ISO 8601 in the time zone of the machine, with its offset: one moment also in an hour that occurs twice.
    public static func isoLocal(second: Int64) -> String {
        var seconds = time_t(second)
        var fields = tm()
        guard localtime_r(&seconds, &fields) != nil else { return "second \(second)" }  // No calendar has it.
        let date = "\(four(Int(fields.tm_year) + 1900))-\(two(fields.tm_mon + 1))-\(two(fields.tm_mday))"
        let time = "\(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))"
        let minutes = Int32(fields.tm_gmtoff.magnitude / 60)
        return "\(date)T\(time)\(fields.tm_gmtoff < 0 ? "-" : "+")\(two(minutes / 60)):\(two(minutes % 60))"
    }

    /// ISO 8601 in UTC with milliseconds.
    public static func iso(_ milliseconds: Int64) -> String {
        let second = floorDivide(milliseconds, 1000)
        var seconds = time_t(second)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let fraction = String(milliseconds &- second &* 1000)
        let date = "\(four(Int(fields.tm_year) + 1900))-\(two(fields.tm_mon + 1))-\(two(fields.tm_mday))"
        let time = "\(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))"
        return "\(date)T\(time).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)Z"
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    private static func four(_ number: Int) -> String {
        String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)"
    }
}
