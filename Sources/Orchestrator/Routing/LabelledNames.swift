/// What is known of names of containers, so that it is not asked and told again and again.
struct LabelledNames {
    /// Where names stand in other files.
    private(set) var places: [String: String] = [:]
    private var known: Set<String> = []
    private var neighbours: NeighbourRoutes?
    private var warnings: Set<String> = []

    /// Those that nobody was asked about yet, or not since a file has changed. Others are forgotten.
    mutating func newNames(_ names: Set<String>, _ neighbours: NeighbourRoutes) -> Set<String> {
        if neighbours != self.neighbours { (known, places) = ([], [:]) }
        self.neighbours = neighbours
        known.formIntersection(names)
        places = places.filter { names.contains($0.key) }
        return names.subtracting(known)
    }

    mutating func note(_ names: Set<String>, _ found: [String: String]) {
        known.formUnion(names)
        places.merge(found) { $1 }
    }

    /// Those that were not told last time.
    mutating func newWarnings(_ all: [String]) -> [String] {
        defer { warnings = Set(all) }
        return all.filter { !warnings.contains($0) }
    }
}
