"""INWARD: the wire faces. Each speaks one system's words over the same operations."""
