"""A function becomes a Nipype step, and a recipe refuses what does not fit."""

from pathlib import Path
from typing import NamedTuple

import pytest

from aslprep_nn.errors import MetadataError, Problem
from aslprep_nn.pipeline import interfaces, steps
from aslprep_nn.pipeline.recipe import Recipe
from aslprep_nn.pipeline.step import PROBLEMS_FILE, step
from aslprep_nn.version import __version__


class Copied(NamedTuple):
    copy: Path
    length: int
    parts: tuple[Path, ...]


def copy_text(*, text: Path, folder: Path, times: int = 1, suffix: Path | None = None) -> Copied:
    content = text.read_text() * times + (suffix.read_text() if suffix else '')
    target = folder / 'copy.txt'
    target.write_text(content)
    return Copied(target, len(content), (target,))


def refuse(*, text: Path, folder: Path) -> Copied:
    raise MetadataError(Problem(text.name, 'f', 'bad', 'good', 'Mend it.'))


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'a.txt'
    path.write_text('abc')
    return path


def test_paths_go_in_and_come_out_and_the_folder_is_the_nodes_own(text, tmp_path):
    outputs = step(copy_text)(text=str(text), times=2).run().outputs
    assert Path(outputs.copy).read_text() == 'abcabc'
    assert Path(outputs.copy).parent == tmp_path
    assert outputs.length == 6
    assert outputs.parts == [outputs.copy]


def test_an_optional_path_may_be_left_out_or_given(text):
    assert step(copy_text)(text=str(text), suffix=str(text)).run().outputs.length == 6


def test_a_mandatory_path_must_exist(text):
    with pytest.raises(Exception, match=r'does not exist|not found|existing'):
        step(copy_text)(text=str(text) + 'x')


def test_the_version_is_among_the_inputs_so_that_new_code_is_noticed(text):
    assert step(copy_text)(text=str(text)).inputs.app_version == __version__


def test_problems_are_left_where_the_app_finds_them(text, tmp_path):
    with pytest.raises(MetadataError):
        step(refuse)(text=str(text)).run()
    assert 'Mend it.' in (tmp_path / PROBLEMS_FILE).read_text()


def test_a_misspelt_output_is_refused_when_the_graph_is_built():
    recipe = Recipe('sub-01')
    still = recipe.add(interfaces.ResampleSeries)
    with pytest.raises(AttributeError, match="not 'seris'"):
        still.seris  # noqa: B018


def test_a_misspelt_input_is_refused_when_the_graph_is_built():
    with pytest.raises(AttributeError, match='does not take serie'):
        Recipe('sub-01').add(interfaces.ResampleSeries, serie=1)


def test_every_public_step_has_a_face():
    faces = {name for name in vars(interfaces) if name[0].isupper()}
    functions = {
        name for name, value in vars(steps).items()
        if callable(value) and getattr(value, '__module__', '') == steps.__name__
        and 'folder' in getattr(value, '__annotations__', {})
    }  # fmt: skip
    assert {''.join(word.capitalize() for word in name.split('_')) for name in functions} <= faces
