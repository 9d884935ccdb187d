import BackupStoreTesting
import Foundation
import Testing

/// Each reader of strangers' bytes on what it should read, on what a search once found, and on a few hundred mutations.
/// `make fuzz` goes on with libFuzzer.
@Suite("Readers of bytes that strangers write")
struct FuzzCasesTests {
    @Test("Well-formed inputs, and all that a search has found", arguments: FuzzTarget.allCases)
    func known(_ target: FuzzTarget) throws {
        let seeds = try target.seeds()
        #expect(seeds.count > 2)
        for (n, seed) in seeds.enumerated() { try expectSound(target, seed, "seed \(n)") }
        for (name, bytes) in try target.found() { try expectSound(target, bytes, name) }
    }

    @Test("Inputs that were cut, doubled, flipped and put together", arguments: FuzzTarget.allCases)
    func mutated(_ target: FuzzTarget) throws {
        let seeds = try target.seeds().map { Array($0.prefix(FuzzTarget.longest)) }
        for number in 0..<(target == .follower ? 40 : 200) as Range<UInt64> {
            var generator = SeededGenerator(seed: number)
            var bytes = seeds.randomElement(using: &generator)!
            for _ in 0..<Int.random(in: 1...6, using: &generator) { mutate(&bytes, seeds, &generator) }
            try expectSound(target, bytes, "mutation \(number)")
        }
    }

    private func expectSound(_ target: FuzzTarget, _ bytes: [UInt8], _ name: String) throws {
        do {
            try target.run(bytes)
        } catch let failure as FuzzFailure {
            Issue.record("\(target), \(name): \(failure)")
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ seeds: [[UInt8]], _ generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return bytes = seeds.randomElement(using: &generator)! }
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let end = min(bytes.count, place + Int.random(in: 1...32, using: &generator))
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[place] = [0, 0xFF, 0x7F, 0x80, 0x0A].randomElement(using: &generator)!
        case 2: bytes.removeSubrange(place..<end)
        case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 4: bytes.removeSubrange(place...)
        default:
            let other = seeds.randomElement(using: &generator)!
            bytes.insert(contentsOf: other.prefix(Int.random(in: 0...64, using: &generator)), at: place)
        }
    }
}
