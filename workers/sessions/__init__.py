"""Live sessions: presence concluded from joins and leaves, and the vendors' reports fetched."""
