"""The layout of the state folder that this release works with."""

LAYOUT = 1
"""Raised by one with each step in `steps.py`. The installer reads it without loading anything of the product."""
