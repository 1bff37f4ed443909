import Testing

/// Real clients and real servers around the real binary. One test after the other: they measure deadlines.
@Suite(.serialized) enum EndToEnd {}
