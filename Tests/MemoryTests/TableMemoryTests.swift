import DataPlane
import Testing

@Suite struct TableMemoryTests {
    @Test(
        "A table keeps its image as it was, whether it is small or lies in huge pages",
        arguments: [0, 1, 4096, 16 << 20 - 1, 16 << 20, 16 << 20 + 1, 18 << 20])
    func copies(count: Int) {
        var image = [UInt8](repeating: 0x5a, count: count)
        for place in stride(from: 0, to: count, by: 4093) { image[place] = UInt8(truncatingIfNeeded: place) }
        let table = RouteTable(copying: image)
        #expect(table.byteCount == count)
        let isSame = table.image.byteCount == count && array(table.image) == image
        #expect(isSame)
    }
}
