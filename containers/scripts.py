"""The scripts of docs/hpc.md, taken out of the page."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / 'docs' / 'hpc.md'
#: A block that begins as a script does; its second line names it.
SCRIPT = re.compile(r'^```bash\n(#!/bin/bash\n# (\S+) .*?)^```$', re.MULTILINE | re.DOTALL)


def scripts() -> dict[str, str]:
    """Return the scripts by name."""
    return {name: text for text, name in SCRIPT.findall(PAGE.read_text(encoding='utf-8'))}


def write_scripts(folder: Path) -> None:
    """Write every script into a folder."""
    folder.mkdir()
    for name, text in scripts().items():
        (folder / name).write_text(text, encoding='utf-8')
        (folder / name).chmod(0o755)
