import CLibisal

/// CRC-32 as gzip uses it, by ISA-L.
func crc32(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return crc }
    return crc32_gzip_refl(crc, base.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
}

/// Little-endian integers and counted bytes at the end of a buffer.
extension [UInt8] {
    mutating func append(integer: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: integer.littleEndian) { append(contentsOf: $0) }
    }

    mutating func append(counted text: String) {
        append(integer: UInt32(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    mutating func replace(at offset: Int, with integer: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: integer.littleEndian) { bytes in
            for (index, byte) in bytes.enumerated() { self[offset + index] = byte }
        }
    }
}

/// Reads what ``Swift/Array/append(integer:)`` wrote; every read checks the bounds.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    struct OutOfBounds: Error {}

    mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) throws -> Integer {
        guard bytes.count - offset >= MemoryLayout<Integer>.size else { throw OutOfBounds() }
        defer { offset += MemoryLayout<Integer>.size }
        return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }

    mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, bytes.count - offset >= count else { throw OutOfBounds() }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    mutating func countedText() throws -> String {
        let text = String(validating: try take(Int(try integer(UInt32.self))), as: UTF8.self)
        guard let text else { throw OutOfBounds() }
        return text
    }

    var atEnd: Bool { offset == bytes.count }
}
