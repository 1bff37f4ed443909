// The edge's entry point.
