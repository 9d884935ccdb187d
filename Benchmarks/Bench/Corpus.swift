import Foundation
import SandboxServer

/// Mail made from a seed, in the sizes and with the duplicates of real delivery.
struct Corpus {
    enum Kind: String, CaseIterable {
        /// Texts of log-normal size around 4 KB; of every hundred 15 with an attachment around 100 KB.
        case mixed
        /// Texts alone.
        case text
        /// Messages of 10 to 100 MB.
        case large
    }

    /// Of a hundred messages so many go to two or three mailboxes at once, and so many are sent again later, byte by byte.
    private static let shared = 15, repeated = 3

    let kind: Kind
    private var generator: SeededGenerator
    private var mail: MailText
    private let words: [String]
    private var earlier: [UInt8] = []

    init(_ kind: Kind, seed: UInt64) {
        self.kind = kind
        var generator = SeededGenerator(seed: seed)
        mail = MailText(seed: seed)
        let syllables = ["an", "be", "cor", "den", "er", "fa", "gen", "hol", "in", "ka", "lo", "mit", "nor", "on", "per", "qua", "re", "sta", "ter", "und"]
        words = (0..<5000).map { _ in
            (0..<Int.random(in: 1...4, using: &generator)).map { _ in syllables.randomElement(using: &generator) ?? "" }.joined()
        }
        self.generator = generator
    }

    /// The next message, and the mailboxes it goes to.
    mutating func next(of addresses: [String]) -> (message: [UInt8], recipients: [String]) {
        var recipients = [addresses.randomElement(using: &generator) ?? addresses[0]]
        if chance(Self.shared) { recipients += addresses.shuffled(using: &generator).prefix(Int.random(in: 1...2, using: &generator)) }
        if chance(Self.repeated), !earlier.isEmpty { return (earlier, recipients) }
        let message = write(to: recipients[0])
        if chance(10) { earlier = message }
        return (message, recipients)
    }

    private mutating func write(to address: String) -> [UInt8] {
        switch kind {
        case .large: mail.write(to: address, size: Int.random(in: 10_000_000...100_000_000, using: &generator)).bytes
        case .mixed where chance(15):
            mail.write(to: address, text: text(1000), size: 25_000 + size(median: 100_000, spread: 1.1, most: 20_000_000)).bytes
        case .mixed, .text: mail.write(to: address, text: text(size(median: 4000, spread: 1, most: 500_000))).bytes
        }
    }

    /// Words as often as a language has them: the frequent ones most.
    private mutating func text(_ size: Int) -> String {
        var text = ""
        var column = 0
        while text.utf8.count < size {
            let rank = Int(exp(Double.random(in: 0..<1, using: &generator) * log(Double(words.count)))) - 1
            let word = words[max(0, min(rank, words.count - 1))]
            text += word
            column += word.utf8.count + 1
            if column > 72 {
                text += "\r\n"
                column = 0
            } else {
                text += " "
            }
        }
        return text
    }

    private mutating func size(median: Double, spread: Double, most: Double) -> Int {
        // Box and Muller's normal distribution.
        let (u, v) = (Double.random(in: Double.ulpOfOne..<1, using: &generator), Double.random(in: 0..<1, using: &generator))
        return Int(min(most, median * exp(spread * (-2 * log(u)).squareRoot() * cos(2 * .pi * v))))
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
}
