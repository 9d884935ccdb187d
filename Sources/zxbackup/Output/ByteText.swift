/// Numbers of bytes for people.
enum ByteText {
    /// `731 B`, `1.5 MB`, `2.0 TB`: powers of 1024.
    static func of(_ bytes: Int64) -> String {
        var tenths = bytes
        var unit = 0
        let units = ["B", "KB", "MB", "GB", "TB", "PB", "EB"]
        while tenths >= (unit == 0 ? 1024 : 10_240), unit < units.count - 1 {
            tenths = unit == 0 ? tenths * 10 / 1024 : tenths / 1024
            unit += 1
        }
        return unit == 0 ? "\(tenths) B" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
