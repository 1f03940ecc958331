"""What stops the installer, in words for whoever runs it."""


class InstallRefused(Exception):
    """Nothing was changed, or what was begun is safe to run again; the message says what to do."""
