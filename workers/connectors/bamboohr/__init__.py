"""A connector: see connector.py."""
