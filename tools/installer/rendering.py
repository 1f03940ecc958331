"""The units, users and folders of this tree as files below /usr/local/lib or /usr/lib."""

from collections.abc import Mapping

from tbot_bot.support.path_resolver import CODE_ROOT
from tools.installer.layout import Layout

_OWN_FOLDER = ("sysusers.d/", "tmpfiles.d/")
_UNITS = "systemd/system/"


def rendered_files(layout: Layout) -> Mapping[str, str]:
    """Text by path below `layout.lib`."""
    top = CODE_ROOT / "systemd"
    texts = {str(path.relative_to(top)): path.read_text("utf-8") for path in sorted(top.rglob("*")) if path.is_file()}
    return {
        name if name.startswith(_OWN_FOLDER) else _UNITS + name: _filled(text, layout) for name, text in texts.items()
    }


def _filled(text: str, layout: Layout) -> str:
    return text.replace("@PREFIX@", str(layout.prefix)).replace("@STATE_DIR@", str(layout.state_dir))
