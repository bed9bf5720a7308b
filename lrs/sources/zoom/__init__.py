"""Zoom: its signature, its webhooks read into statements, and the settings of a connection to it."""
