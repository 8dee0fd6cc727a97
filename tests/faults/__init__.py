"""Harnesses that try to break the books: swarms, kills, random histories. See docs/faults.md."""
