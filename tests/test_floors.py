"""The architecture is a house: a module imports from its own room or from lower floors."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'aslprep_nn'
FLOORS = (
    {
        'version',
        'errors',
        'acquisition',
        'constants',
        'maps',
        'run',
        'settings',
        'testability',
        'writing',
    },
    {'signal'},
    {'simulation', 'preprocessing', 'calibration', 'anatomy', 'estimation'},
    {'network', 'misspecification', 'quality', 'bids'},
    {'report'},
    {'evaluation', 'benchmark'},
    {'pipeline'},
    {'cli'},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ONLY_IN = {'nipype': {'pipeline'}, 'bids': {'bids'}, 'argparse': {'cli'}}
MODULES = sorted(p for p in PACKAGE.rglob('*.py') if p.parent != PACKAGE or p.stem in FLOOR)


def imports(module: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(module.read_text(encoding='utf-8'))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module}


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).with_suffix('').parts[0]


@pytest.mark.parametrize('module', MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_its_own_room_and_lower_floors(module):
    here = room(module)
    ours = {name.split('.')[1] for name in imports(module) if name.startswith('aslprep_nn.')}
    if module.parent == PACKAGE:
        assert all(FLOOR[other] == 0 for other in ours)
    assert not {other for other in ours - {here} if FLOOR[other] >= max(FLOOR[here], 1)}


@pytest.mark.parametrize('module', MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_library_stays_in_the_rooms_that_may_know_it(module):
    libraries = {name.split('.')[0] for name in imports(module)}
    assert not {lib for lib in libraries & set(ONLY_IN) if room(module) not in ONLY_IN[lib]}
    assert not ('nibabel' in libraries and FLOOR[room(module)] < 2)


def test_every_room_of_the_package_has_a_floor():
    assert {room(p) for p in PACKAGE.rglob('*.py')} - {'__init__', '__main__'} <= set(FLOOR)
