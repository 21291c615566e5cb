"""Files that are damaged, missing or misnamed, and what must be said of each."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from datasets import AFFINE


class Damage(NamedTuple):
    """One thing done to a subject's files, and the problem it must lead to.

    Parameters
    ----------
    damage
        Takes the path of a file whose name ends with `file`.
    file
        What the name of the file to damage and to blame ends with.
    field, found
        Of the problem; the second may be a part.
    blamed
        What the name of the file to blame ends with, if it is another.
    """

    damage: Callable[[Path], Any]
    file: str
    field: str
    found: str
    blamed: str = ''


def _bytes(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


def _again(encoding: str, prefix: str = '') -> Callable[[Path], Any]:
    return lambda path: path.write_text(prefix + path.read_text('utf-8'), encoding=encoding)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link_to(target: str) -> Callable[[Path], Any]:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(path.name if target == 'itself' else target)

    return link


def _pixels(change: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Write other values under the same header."""

    def write(path: Path) -> None:
        data = change(np.asanyarray(nib.load(path).dataobj).astype(np.float32))
        nib.save(nib.Nifti1Image(data, AFFINE), path)

    return write


def _volume(index: int, value: float) -> Any:
    def change(data: np.ndarray) -> np.ndarray:
        data[..., index] = value
        return data

    return _pixels(change)


def _coloured(data: np.ndarray) -> np.ndarray:
    return np.zeros(data.shape[:3], dtype=[('R', 'u1'), ('G', 'u1'), ('B', 'u1')])


def _header(**fields: Any) -> Callable[[Path], Any]:
    """Change the header and nothing else."""

    def write(path: Path) -> None:
        content = bytearray(gzip.decompress(path.read_bytes()))
        header = nib.Nifti1Header(bytes(content[:348]))
        for field, value in fields.items():
            header.structarr[field] = value
        content[:348] = header.structarr.tobytes()
        path.write_bytes(gzip.compress(bytes(content)))

    return write


def _overflowing(path: Path) -> None:
    image = nib.load(path)
    data = np.asanyarray(image.dataobj).astype(np.int16)
    written = nib.Nifti1Image(data, image.affine)
    written.header.set_slope_inter(1e38, 0)
    nib.save(written, path)
    _header(scl_slope=1e38)(path)


def _cut(n_bytes: int) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(path.read_bytes()[:-n_bytes])


def _unpacked(path: Path) -> None:
    path.write_bytes(gzip.decompress(path.read_bytes()))


def _twice(path: Path) -> None:
    nib.save(nib.load(path), path.with_name(path.name.removesuffix('.gz')))


def _renamed(name: str) -> Callable[[Path], Any]:
    return lambda path: path.rename(path.with_name(name))


def _with(text: str) -> Callable[[Path], Any]:
    """Add a field to the end of a sidecar."""
    return lambda path: path.write_text(f'{path.read_text("utf-8")[:-1]}, {text}}}', 'utf-8')


FLAT: dict[str, Any] = {'qform_code': 0, 'sform_code': 1, 'srow_y': [0, 0, 0, 0]}
NOWHERE: dict[str, Any] = FLAT | {'srow_y': [0, np.nan, 0, 0]}
TEXTS = {
    'a comma too many': Damage(_with(''), 'asl.json', '', 'not readable as JSON'),
    'an empty sidecar': Damage(_bytes(b''), 'asl.json', '', 'not readable as JSON'),
    'a sidecar of one word': Damage(_bytes(b'"PCASL"'), 'asl.json', '', 'a JSON str'),
    'a sidecar of null': Damage(_bytes(b'null'), 'asl.json', '', 'a JSON NoneType'),
    'a sidecar in Latin-1': Damage(
        _bytes('{"Manufacturer": "Zürich"}'.encode('latin-1')), 'asl.json', '',
        'not readable as UTF-8 text'),
    'a sidecar in UTF-16': Damage(_again('utf-16'), 'asl.json', '', 'not readable as UTF-8 text'),
    'a sidecar nested without end': Damage(
        _bytes(b'[' * 100_000), 'asl.json', '', 'not readable as JSON'),
    'a number too long': Damage(
        _bytes(b'{"M0Estimate": 1' + b'0' * 5000 + b'}'), 'asl.json', '', 'not readable as JSON'),
    'a field stated twice': Damage(
        _with('"LabelingDuration": 1.8'), 'asl.json', 'LabelingDuration',
        'stated more than once: 1.5, then 1.8'),
    'a sidecar that is a folder': Damage(_folder, 'asl.json', '', 'Is a directory'),
    'a sidecar that is a broken link': Damage(
        _link_to('.git/annex/objects/x'), 'asl.json', '', 'No such file'),
    'no sidecar': Damage(Path.unlink, 'asl.json', 'ArterialSpinLabelingType', 'absent'),
    'a sidecar of M0 in an array': Damage(_bytes(b'[]'), 'm0scan.json', '', 'a JSON list'),
    'a sidecar of M0 cut off': Damage(_cut(3), 'm0scan.json', '', 'not readable as JSON'),
    'a repetition time stated twice': Damage(
        _with('"RepetitionTimePreparation": 5'), 'm0scan.json', 'RepetitionTimePreparation',
        'stated more than once: 6.0, then 5'),
    'aslcontext empty': Damage(_bytes(b''), 'aslcontext.tsv', 'volume_type', 'nothing'),
    'aslcontext without header': Damage(
        _bytes(b'control\nlabel\n' * 6), 'aslcontext.tsv', 'volume_type', "'control'"),
    'aslcontext of another header': Damage(
        _bytes(b'Volume_Type\n' + b'control\nlabel\n' * 6), 'aslcontext.tsv', 'volume_type',
        "'Volume_Type'"),
    'aslcontext with commas': Damage(
        _bytes(b'volume_type,run\n' + b'control,1\nlabel,1\n' * 6), 'aslcontext.tsv',
        'volume_type', "'volume_type,run'"),
    'aslcontext in Latin-1': Damage(
        _bytes(b'volume_type\n\xfcber\n'), 'aslcontext.tsv', '', 'not readable as UTF-8 text'),
    'aslcontext in UTF-16': Damage(
        _again('utf-16'), 'aslcontext.tsv', '', 'not readable as UTF-8 text'),
    'aslcontext of zero bytes': Damage(
        _bytes(b'\0' * 100), 'aslcontext.tsv', 'volume_type', 'x00'),
    'aslcontext with an empty cell': Damage(
        _bytes(b'run\tvolume_type\n1\n' + b'1\tlabel\n' * 11), 'aslcontext.tsv',
        'volume_type, row 1', "''"),
    'aslcontext that is a folder': Damage(_folder, 'aslcontext.tsv', '', 'Is a directory'),
    'aslcontext that is a broken link': Damage(
        _link_to('../nowhere'), 'aslcontext.tsv', '', 'No such file'),
}  # fmt: skip
IMAGES = {
    'series cut off': Damage(_cut(300), 'asl.nii.gz', '', 'not readable'),
    'series of no bytes': Damage(_bytes(b''), 'asl.nii.gz', '', 'not readable'),
    'series that is a text': Damage(_bytes(b'<html>404</html>'), 'asl.nii.gz', '', 'not readable'),
    'series not compressed': Damage(_unpacked, 'asl.nii.gz', '', 'not readable'),
    'series that was not fetched': Damage(
        _link_to('.git/annex/objects/x'), 'asl.nii.gz', '', 'a link to .git/annex/objects/x'),
    'series that links to itself': Damage(
        _link_to('itself'), 'asl.nii.gz', '', 'a link to'),
    'series of two dimensions': Damage(
        _pixels(lambda d: d[:, :, 0, 0]), 'asl.nii.gz', 'dimensions', '(10, 10)'),
    'series of five dimensions': Damage(
        _pixels(lambda d: d[..., None]), 'asl.nii.gz', 'dimensions', '(10, 10, 4, 12, 1)'),
    'a single volume': Damage(
        _pixels(lambda d: d[..., 0]), 'asl.nii.gz', 'volume_type', '12 rows', 'aslcontext.tsv'),
    'an axis of no length': Damage(
        _header(dim=[4, 10, 10, 0, 12, 1, 1, 1]), 'asl.nii.gz', 'dimensions', '(10, 10, 0, 12)'),
    'an axis of negative length': Damage(
        _header(dim=[4, 10, 10, -4, 12, 1, 1, 1]), 'asl.nii.gz', 'dimensions', '-4'),
    'more values than any file holds': Damage(
        _header(dim=[4, 32767, 32767, 32767, 9, 1, 1, 1]), 'asl.nii.gz', '', 'header promises'),
    'a type of data that is none': Damage(
        _header(datatype=3), 'asl.nii.gz', '', 'not readable'),
    'complex values': Damage(
        _pixels(lambda d: d.astype(np.complex64)), 'asl.nii.gz', 'values', 'of type complex64'),
    'colours': Damage(
        _pixels(_coloured), 'asl.nii.gz', 'values', 'of type'),
    'zeros only': Damage(
        _pixels(np.zeros_like), 'asl.nii.gz', 'values', 'nothing but zeros'),
    'infinity only': Damage(
        _pixels(lambda d: d + np.inf), 'asl.nii.gz', 'values', 'nothing but NaN or infinity'),
    'one volume of NaN': Damage(
        _volume(4, np.nan), 'asl.nii.gz', 'values', 'volume 5 of nothing but'),
    'one volume of zeros': Damage(
        _volume(11, 0), 'asl.nii.gz', 'values', 'volume 12 of nothing but'),
    'a slope that overflows': Damage(_overflowing, 'asl.nii.gz', 'values', 'e+40'),
    'an affine of no volume': Damage(
        _header(**FLAT), 'asl.nii.gz', 'position in space', 'the affine'),
    'an affine of NaN': Damage(
        _header(**NOWHERE), 'asl.nii.gz', 'position in space', 'the affine'),
    'M0 cut off': Damage(_cut(100), 'm0scan.nii.gz', '', 'not readable'),
    'M0 of no bytes': Damage(_bytes(b''), 'm0scan.nii.gz', '', 'not readable'),
    'M0 that was not fetched': Damage(
        _link_to('.git/annex/objects/x'), 'm0scan.nii.gz', '', 'a link to'),
    'M0 of two dimensions': Damage(
        _pixels(lambda d: d[..., 0]), 'm0scan.nii.gz', 'dimensions', '(10, 10)'),
    'M0 of NaN': Damage(
        _pixels(lambda d: d * np.nan), 'm0scan.nii.gz', 'values', 'nothing but NaN'),
    'M0 nowhere': Damage(
        _header(**FLAT), 'm0scan.nii.gz', 'position in space', 'the affine'),
}  # fmt: skip
NAMES = {
    'one run in two files': Damage(_twice, 'asl.nii.gz', 'file name', 'asl.nii, too'),
    'a file of another subject': Damage(
        _renamed('sub-stranger_asl.nii.gz'), 'asl.nii.gz', 'file name', 'subject stranger'),
    'a file of no subject': Damage(
        _renamed('task-rest_asl.nii.gz'), 'asl.nii.gz', 'file name', 'no subject'),
    'a label that is none': Damage(
        _renamed('sub-a_acq-ü b_asl.nii.gz'), 'asl.nii.gz', 'file name', 'acq-ü b'),
}  # fmt: skip
FILES = TEXTS | IMAGES | NAMES
#: What looks odd and means nothing bad: these are processed.
HARMLESS = {
    'a byte order mark before a sidecar': Damage(_again('utf-8-sig'), 'asl.json', '', ''),
    'a byte order mark before aslcontext': Damage(_again('utf-8-sig'), 'aslcontext.tsv', '', ''),
    'lines that end as in Windows': Damage(
        _bytes(b'volume_type\r\n' + b'control\r\nlabel\r\n' * 6), 'aslcontext.tsv', '', ''),
    'lines that end as in old times': Damage(
        _bytes(b'volume_type\r' + b'control\rlabel\r' * 6), 'aslcontext.tsv', '', ''),
    'blanks after words': Damage(
        _bytes(b'volume_type \n' + b'control \nlabel\t\n' * 6), 'aslcontext.tsv', '', ''),
    'an empty line at the end': Damage(
        _bytes(b'volume_type\n' + b'control\nlabel\n' * 6 + b'\n\n'), 'aslcontext.tsv', '', ''),
    'a field stated twice alike': Damage(_with('"LabelingDuration": 1.5'), 'asl.json', '', ''),
    'umlauts in a sidecar': Damage(_with('"Institution": "Zürich"'), 'asl.json', '', ''),
    'a whole number for a time': Damage(
        lambda path: path.write_text(json.dumps(
            json.loads(path.read_text('utf-8')) | {'LabelingDuration': 2}), 'utf-8'),
        'asl.json', '', ''),
    'some NaN in a volume': Damage(
        _pixels(lambda d: np.where(np.arange(4)[None, None, :, None] == 3, np.nan, d)),
        'asl.nii.gz', '', ''),
}  # fmt: skip
