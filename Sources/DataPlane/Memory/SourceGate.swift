package import Routes

/// Which clients may connect: a compiled ``SourceTable``, shared by the workers. A worker reads it through a
/// ``SourceGateView``; it keeps the gate itself until the next one has taken its place.
package final class SourceGate: Sendable {
    /// Nil: everybody may.
    private let table: RouteTable?

    /// By the lines of a configuration.
    package init(_ rules: SourceRules = SourceRules()) {
        table = rules.rules.isEmpty ? nil : RouteTable(copying: SourceTable.compile(rules))
    }

    /// The size of the compiled lines.
    package var byteCount: Int { table?.byteCount ?? 0 }

    /// For a worker's own use: where the table lies.
    package var view: SourceGateView { SourceGateView(table: table?.view) }
}

/// Where a gate's table lies: valid while its ``SourceGate`` is held, which the worker that uses it does.
package struct SourceGateView: BitwiseCopyable {
    fileprivate let table: RouteTableView?

    /// Whether a client with the address may connect.
    package func allows(_ address: IPAddress) -> Bool {
        guard let table else { return true }
        return SourceTable.allows(address, in: table.image)
    }
}
