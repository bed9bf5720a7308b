"""Breaks the product on purpose, one listed line at a time, and demands that a named test notices."""
