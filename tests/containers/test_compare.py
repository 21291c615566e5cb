"""Two output folders are equal where every image and table is, as it is read."""

import gzip
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / 'containers'))

from compare import differences, outputs


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    pair = tmp_path / 'one', tmp_path / 'other'
    for level, folder in enumerate(pair, start=1):
        (folder / 'sub-01').mkdir(parents=True)
        (folder / '.work').mkdir()
        (folder / 'sub-01' / 'cbf.nii.gz').write_bytes(gzip.compress(b'voxels', 9 * (level - 1)))
        (folder / 'group.tsv').write_text('cbf\n60\n', encoding='utf-8')
        (folder / '.work' / f'{level}.tsv').touch()
        (folder / f'{level}.html').touch()
    return pair


def test_images_that_are_only_compressed_differently_are_equal(folders):
    one, other = folders
    image = Path('sub-01', 'cbf.nii.gz')
    assert (one / image).read_bytes() != (other / image).read_bytes()
    assert outputs(one) == {image, Path('group.tsv')}
    assert differences(one, other) == []


def test_another_value_and_a_missing_file_are_named(folders):
    one, other = folders
    (one / 'sub-01' / 'cbf.nii.gz').write_bytes(gzip.compress(b'voxelz'))
    (other / 'group.tsv').unlink()
    assert differences(one, other) == [f'group.tsv only in {one}', 'sub-01/cbf.nii.gz differs']
