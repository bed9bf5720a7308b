"""What an administrator can do, a file a noun; the CLI and the API call these same functions."""
