"""Array jobs: processes that write to one output folder at once."""

import json
from pathlib import Path

from faults.app import half_files, products, run, start
from faults.kills import QUICK, tiny_dataset

SHARED = ('dataset_description.json', 'logs/status.json', 'group_perf.json')


def test_four_starts_at_once_and_a_group_level_amid_them_spoil_nothing(tmp_path):
    root, output = tiny_dataset(tmp_path / 'bids', 5), tmp_path / 'out'
    labels = ['01', '02', '03', '04']
    apps = [
        start(
            root, output, 'participant', *QUICK, '--participant-label', label, log=tmp_path / label
        )
        for label in labels
    ]
    assert [app.wait() for app in apps] == [0] * 4, [app.said() for app in apps]
    group = run(root, output, 'group', log=tmp_path / 'group')
    assert group.wait() == 0, group.said()
    assert '1 of 5 runs have no result: sub-05' in group.said()
    for name in SHARED:
        json.loads((output / name).read_text(encoding='utf-8'))
    runs = json.loads((output / 'logs' / 'status.json').read_text(encoding='utf-8'))['runs']
    assert [(each['run'], each['state']) for each in runs] == [
        (f'sub-{label}', 'done') for label in labels
    ]
    table = (output / 'group_perf.tsv').read_text(encoding='utf-8').splitlines()
    states = sorted(line.split('\t')[0::2][:2] for line in table[1:])
    assert states == [[f'sub-{label}', 'done'] for label in labels] + [['sub-05', 'missing']]
    assert half_files(output) == []
    assert not list(output.rglob('*.lock'))
    assert not (output / '.work').exists()
    assert maps(output) == maps_of_one_start(root, tmp_path)


def maps_of_one_start(root: Path, folder: Path) -> dict[str, str]:
    output = folder / 'one'
    labels = ('--participant-label', '01', '02', '03', '04')
    app = run(root, output, 'participant', *labels, *QUICK, '--nprocs', 1, log=folder / 'log')
    assert app.wait() == 0, app.said()
    return maps(output)


def maps(output: Path) -> dict[str, str]:
    made = products(output)
    return {name: digest for name, digest in made.items() if name.endswith(('.nii.gz', '.svg'))}
