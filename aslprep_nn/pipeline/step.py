"""The Nipype face of a step, made from the step's own type hints."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from nipype.interfaces.base import (
    BaseInterface,
    BaseInterfaceInputSpec,
    File,
    Str,
    TraitedSpec,
    isdefined,
    traits,
)

from aslprep_nn.errors import AslprepError
from aslprep_nn.pipeline import quiet  # noqa: F401
from aslprep_nn.pipeline.gpu import choose_device, turn_on
from aslprep_nn.version import __version__

#: Where a step leaves the problems of a run for whoever tells the user.
PROBLEMS_FILE = 'problems.json'


def step(function: Callable[..., Any]) -> type[BaseInterface]:
    """Wrap a step as a Nipype interface, so that no input or output is written twice.

    A step takes keyword arguments and returns a NamedTuple. Paths become files that Nipype
    checks and hashes; a ``folder`` argument is filled with the node's own directory. The
    version of the app is among the inputs, because Nipype does not notice changed code.

    Parameters
    ----------
    function
        A module-level function with every argument and the result annotated.
    """
    hints = get_type_hints(function)
    result = hints.pop('return')
    parameters = inspect.signature(function).parameters
    inputs = {
        name: _trait(hint, mandatory=parameters[name].default is inspect.Parameter.empty)
        for name, hint in hints.items()
        if name != 'folder'
    }
    outputs = {name: _trait(hint) for name, hint in get_type_hints(result).items()}
    name = ''.join(word.capitalize() for word in function.__name__.split('_'))
    module = 'aslprep_nn.pipeline.interfaces'
    version = {'app_version': Str(__version__, usedefault=True)}
    specs = {
        'input_spec': type('input_spec', (BaseInterfaceInputSpec,), inputs | version),
        'output_spec': type('output_spec', (TraitedSpec,), outputs),
    }
    for attribute, spec in specs.items():  # pickle finds a class by its place
        spec.__module__, spec.__qualname__ = module, f'{name}.{attribute}'
    body = {'function': staticmethod(function), '__module__': module, '__doc__': function.__doc__}
    return type(name, (_Step,), body | specs)


class _Step(BaseInterface):  # type: ignore[misc]
    """Call the function and keep its result."""

    function: Callable[..., Any]
    _result: dict[str, Any]

    def _run_interface(self, runtime: Any) -> Any:
        arguments = {
            name: _as_argument(value)
            for name, value in self.inputs.get().items()
            if name != 'app_version' and isdefined(value)
        }
        hints = get_type_hints(self.function)
        for name in arguments.keys() & hints.keys():
            arguments[name] = _as_paths(arguments[name], hints[name])
        if 'folder' in hints:
            arguments['folder'] = Path(runtime.cwd)
        try:
            with turn_on(choose_device(arguments.get('device', 'cpu'))):
                self._result = self.function(**arguments)._asdict()
        except AslprepError as error:
            problems = [asdict(problem) for problem in error.problems]
            (Path(runtime.cwd) / PROBLEMS_FILE).write_text(json.dumps(problems), encoding='utf-8')
            raise
        return runtime

    def _list_outputs(self) -> dict[str, Any]:
        return {name: _as_strings(value) for name, value in self._result.items()}


def _trait(hint: Any, *, mandatory: bool = False) -> Any:
    """Return the trait that holds what a type hint says."""
    members = {member for member in get_args(hint) if member is not types.NoneType}
    if get_origin(hint) in (Union, types.UnionType) and len(members) == 1:
        return _trait(members.pop())
    if hint is Path:
        return File(exists=True, mandatory=mandatory)
    if hint == tuple[Path, ...]:
        return traits.List(File(exists=True), mandatory=mandatory)
    return traits.Any(mandatory=mandatory)


def _as_argument(value: Any) -> Any:
    return list(value) if isinstance(value, traits.TraitListObject) else value


def _as_paths(value: Any, hint: Any) -> Any:
    """Turn Nipype's strings into the paths a step asks for."""
    if hint == tuple[Path, ...]:
        return tuple(Path(item) for item in value)
    return Path(value) if Path in {hint, *get_args(hint)} else value


def _as_strings(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(item, Path) for item in value):
        return [str(item) for item in value]
    return str(value) if isinstance(value, Path) else value
