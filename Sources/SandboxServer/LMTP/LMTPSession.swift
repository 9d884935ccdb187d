import BackupCore

/// One conversation of LMTP (RFC 2033): what a client's lines mean and what is answered, free of sockets.
///
/// Knows LHLO, MAIL with SIZE and BODY, RCPT, DATA, RSET, NOOP, VRFY and QUIT. Bytes go in as they come; answers come out in order, so
/// that commands may be pipelined.
struct LMTPSession {
    /// Messages larger than this are refused. Bytes.
    static let largest = 100 << 20
    private static let longestLine = 2048

    private enum State {
        case greeting, ready, sender, data
    }

    private let host: String
    private let findMailbox: (String) throws -> Bool
    private let deliver: ([UInt8], [String]) throws -> [String]
    private var state = State.greeting
    private var recipients: [String] = []
    private var line: [UInt8] = []
    private var message: [UInt8] = []
    private var isTooLarge = false
    /// Whether the client said goodbye.
    private(set) var isOver = false

    /// - Parameters:
    ///   - findMailbox: whether an address has an account here.
    ///   - deliver: takes a message for addresses; throws when none of them got it. Returns the addresses that did.
    init(host: String, findMailbox: @escaping (String) throws -> Bool, deliver: @escaping ([UInt8], [String]) throws -> [String]) {
        self.host = host
        self.findMailbox = findMailbox
        self.deliver = deliver
    }

    /// What the server says first.
    var banner: String { "220 \(host) LMTP sandbox ready\r\n" }

    /// Takes bytes of the client and returns what is answered.
    mutating func receive(_ bytes: some Collection<UInt8>) -> String {
        var answer = ""
        var rest = bytes[...]
        while !rest.isEmpty, !isOver {
            let newline = rest.firstIndex(of: UInt8(ascii: "\n"))
            let end = newline.map { rest.index(after: $0) } ?? rest.endIndex
            line.append(contentsOf: rest[..<end])
            rest = rest[end...]
            if state != .data, line.count > Self.longestLine {
                line = []
                isOver = true
                answer += "500 5.5.2 line too long\r\n"
            } else if newline == nil {
                // A line of any length is content; only its beginning matters for the dot.
                if state == .data, line.count > 1 << 16 { keep(ended: false) }
            } else if state == .data {
                answer += endOfDataLine()
            } else {
                answer += command()
            }
        }
        return answer
    }

    // MARK: - Commands

    private mutating func command() -> String {
        while line.last == UInt8(ascii: "\n") || line.last == UInt8(ascii: "\r") { line.removeLast() }
        let text = String(decoding: line, as: UTF8.self)
        line = []
        let verb = text.prefix { $0 != " " }.uppercased()
        let rest = text.dropFirst(verb.count).drop { $0 == " " }
        switch verb {
        case "LHLO" where !rest.isEmpty:
            reset(to: .ready)
            return "250-\(host)\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE \(Self.largest)\r\n"
        case "LHLO": return "501 5.5.4 LHLO needs a name\r\n"
        case "HELO", "EHLO": return "500 5.5.1 this is LMTP: say LHLO\r\n"
        case "NOOP": return "250 2.0.0 OK\r\n"
        case "VRFY": return "252 2.5.0 try it\r\n"
        case "RSET":
            if state != .greeting { reset(to: .ready) }
            return "250 2.0.0 OK\r\n"
        case "QUIT":
            isOver = true
            return "221 2.0.0 \(host) closing connection\r\n"
        case "MAIL": return mail(rest)
        case "RCPT": return recipient(rest)
        case "DATA":
            guard state == .sender, !recipients.isEmpty else { return "503 5.5.1 no valid recipients\r\n" }
            state = .data
            message = []
            isTooLarge = false
            return "354 end data with <CR><LF>.<CR><LF>\r\n"
        default: return "500 5.5.2 unknown command\r\n"
        }
    }

    private mutating func mail(_ rest: Substring) -> String {
        guard state == .ready else { return state == .greeting ? "503 5.5.1 say LHLO first\r\n" : "503 5.5.1 nested MAIL command\r\n" }
        guard let (_, options) = Self.path(rest, after: "FROM:") else { return "501 5.5.4 MAIL FROM:<address>\r\n" }
        for option in options {
            let parts = option.split(separator: "=", maxSplits: 1).map { $0.uppercased() }
            switch parts[0] {
            case "SIZE":
                guard parts.count == 2, let size = Int(parts[1]), size >= 0 else { return "501 5.5.4 SIZE is a number\r\n" }
                guard size <= Self.largest else { return "552 5.3.4 message too large\r\n" }
            case "BODY" where parts.count == 2 && ["7BIT", "8BITMIME"].contains(parts[1]): break
            default: return "555 5.5.4 unknown parameter \(parts[0])\r\n"
            }
        }
        state = .sender
        recipients = []
        return "250 2.0.0 sender OK\r\n"
    }

    private mutating func recipient(_ rest: Substring) -> String {
        guard state == .sender else { return "503 5.5.1 no sender yet\r\n" }
        guard let (address, options) = Self.path(rest, after: "TO:"), !address.isEmpty else { return "501 5.5.4 RCPT TO:<address>\r\n" }
        guard options.isEmpty else { return "555 5.5.4 unknown parameter \(options[0])\r\n" }
        do {
            guard try findMailbox(address) else { return "550 5.1.1 no such user here\r\n" }
        } catch {
            return "451 4.3.0 \(Self.oneLine(error))\r\n"
        }
        recipients.append(address)
        return "250 2.1.5 recipient OK\r\n"
    }

    /// `FROM:<a@b> SIZE=1` → `a@b`, [`SIZE=1`].
    private static func path(_ text: Substring, after prefix: String) -> (address: String, options: [String])? {
        guard text.prefix(prefix.count).uppercased() == prefix else { return nil }
        let rest = text.dropFirst(prefix.count).drop { $0 == " " }
        guard rest.first == "<", let end = rest.firstIndex(of: ">") else { return nil }
        let address = rest[rest.index(after: rest.startIndex)..<end]
        return (String(address), rest[rest.index(after: end)...].split(separator: " ").map(String.init))
    }

    private mutating func reset(to state: State) {
        self.state = state
        recipients = []
        message = []
    }

    // MARK: - The message

    /// Takes what is in `line` as content; the dot that the client put before a leading dot goes.
    private mutating func keep(ended: Bool) {
        let isStuffed = isAtLineStart && line.first == UInt8(ascii: ".")
        if message.count + line.count > Self.largest {
            isTooLarge = true
            message = []
        } else if !isTooLarge {
            message += line.dropFirst(isStuffed ? 1 : 0)
        }
        isAtLineStart = ended
        line.removeAll(keepingCapacity: true)
    }

    private var isAtLineStart = true

    private mutating func endOfDataLine() -> String {
        // A line ends with CR LF only: a bare LF is content.
        guard line.count >= 2 ? line[line.count - 2] == UInt8(ascii: "\r") : !isAtLineStart && message.last == UInt8(ascii: "\r") else {
            keep(ended: false)
            return ""
        }
        guard isAtLineStart, line == [UInt8(ascii: "."), 13, 10] else {
            keep(ended: true)
            return ""
        }
        line = []
        isAtLineStart = true
        defer { reset(to: .ready) }
        if isTooLarge { return String(repeating: "552 5.3.4 message too large\r\n", count: recipients.count) }
        do {
            let delivered = Set(try deliver(message, recipients))
            return recipients.map { delivered.contains($0) ? "250 2.1.5 <\($0)> delivered\r\n" : "451 4.3.0 <\($0)> not delivered\r\n" }.joined()
        } catch {
            return recipients.map { "451 4.3.0 <\($0)> \(Self.oneLine(error))\r\n" }.joined()
        }
    }

    private static func oneLine(_ error: any Error) -> String {
        String("\(error)".unicodeScalars.map { $0.value < 32 || $0.value > 126 ? "?" : Character($0) }.prefix(200))
    }
}
