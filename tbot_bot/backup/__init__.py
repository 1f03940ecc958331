"""Encrypted backups: made, thinned, copied elsewhere, drilled every week, and restored."""
