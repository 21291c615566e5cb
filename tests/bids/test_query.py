"""Series are found where BIDS puts them, and a folder that hides its content is named."""

from pathlib import Path

import pytest

from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.errors import ImageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ('sub-01/perf', 'sub-01/anat', 'sub-02/ses-a/perf'):
        (tmp_path / folder).mkdir(parents=True)
        parts = '_'.join(part for part in folder.split('/') if '-' in part)
        (tmp_path / folder / f'{parts}_asl.nii.gz').touch()
    return tmp_path


def found(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in open_dataset(root).series]


def test_series_of_perf_with_and_without_sessions_are_found(root):
    assert found(root) == [
        'sub-01/perf/sub-01_asl.nii.gz',
        'sub-02/ses-a/perf/sub-02_ses-a_asl.nii.gz',
    ]


def test_a_link_that_leads_back_gives_no_series_twice(root):
    (root / 'sub-01' / 'loop').symlink_to(root / 'sub-01')
    assert len(found(root)) == 2


@pytest.mark.parametrize('folder', ['sub-02', 'sub-02/ses-a/perf'])
def test_a_folder_that_may_not_be_read_is_named_and_the_others_are_found(root, close, folder):
    close(root / folder)
    dataset = open_dataset(root)
    assert [path.name for path in dataset.series] == ['sub-01_asl.nii.gz']
    (problem,) = dataset.problems
    assert (problem.file, problem.found) == (folder, 'not readable')
    assert '--participant-label' in problem.remedy


def test_a_participant_whose_folder_may_not_be_read_is_not_called_absent(root, close):
    close(root / 'sub-02')
    asked = ('01', '02')
    assert len(find_series(open_dataset(root, asked), asked)) == 1
    with pytest.raises(ImageError, match='not readable'):
        find_series(open_dataset(root, ('02',)), ('02',))
