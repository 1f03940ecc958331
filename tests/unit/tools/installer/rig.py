"""A release as a build leaves it, without the minute that a build takes."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tools.installer import files
from tools.installer.layout import Layout
from tools.installer.release import FACTS, MANIFEST, RENDERED, Release, manifest_of

UNITS = {"systemd/system/tbot.target": "[Unit]\n[Install]\nWantedBy=multi-user.target\n"}


def a_layout(folder: Path) -> Layout:
    return Layout(destdir=folder)


def a_release(
    layout: Layout, name: str = "1.0.0+aaaaaaaa", texts: Mapping[str, str] = UNITS, place: Path | None = None
) -> Release:
    release = Release(name, "1.0.0", "3.11", 1, str(layout.prefix), str(layout.state_dir))
    folder = place or release.folder(layout)
    files.put_text(folder / "tbot_bot/__init__.py", "")
    for path, text in texts.items():
        files.put_text(folder / RENDERED / path, text)
    files.put_text(folder / FACTS, json.dumps(asdict(release)))
    files.put_text(folder / MANIFEST, manifest_of(folder))
    return release
