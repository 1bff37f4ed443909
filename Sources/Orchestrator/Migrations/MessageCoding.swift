import Foundation
import YardKit

/// What the two sides of a migration say to each other is Swift's own values; a peer's connection carries
/// JSON.
extension JSONValue {
    init(encoding value: some Encodable) {
        let bytes = (try? JSONEncoder().encode(value)).map(Array.init) ?? []
        self = (try? JSONReader.read(bytes)) ?? .null
    }

    /// nil: it is something else. It comes from a peer, who may say anything.
    func decoded<Value: Decodable>(_ type: Value.Type) -> Value? {
        try? JSONDecoder().decode(type, from: Data(line.utf8))
    }
}
