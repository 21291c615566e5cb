"""Compare two output folders: every image and table, by content."""

from __future__ import annotations

import gzip
from pathlib import Path

KINDS = ('.nii.gz', '.tsv')


def outputs(folder: Path) -> set[Path]:
    """List the images and tables of an output folder, without those it was made from."""
    paths = [path for path in folder.rglob('*') if path.name.endswith(KINDS)]
    return {path.relative_to(folder) for path in paths if '.work' not in path.parts}


def differences(one: Path, other: Path) -> list[str]:
    """Name what is in only one of two folders, or differs in content.

    Images are compared as they are after decompression, bit by bit.
    """
    here, there = outputs(one), outputs(other)
    lacking = [f'{path} only in {one}' for path in here - there]
    lacking += [f'{path} only in {other}' for path in there - here]
    return sorted(lacking) + [
        f'{path} differs'
        for path in sorted(here & there)
        if _read(one / path) != _read(other / path)
    ]


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == '.gz' else content
