"""Writing a workflow as a story: add a step, use what it makes in the next."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterface
from nipype.pipeline import engine


@dataclass(frozen=True)
class Output:
    """Something a step will make, known by its name before it exists."""

    node: engine.Node
    name: str


class Added:
    """A step in a recipe; its attributes are its outputs."""

    def __init__(self, node: engine.Node) -> None:
        self._node = node

    def __getattr__(self, name: str) -> Output:
        """Name an output; a misspelt one is refused here, not hours later."""
        known = self._node.interface.output_spec().copyable_trait_names()
        if name not in known:
            raise AttributeError(f'{self._node.name} makes {", ".join(known)}, not {name!r}')
        return Output(self._node, name)


class Recipe:
    """A Nipype workflow under construction.

    Parameters
    ----------
    name
        Of the workflow; its nodes work in a folder of that name.
    """

    def __init__(self, name: str) -> None:
        self.workflow = engine.Workflow(re.sub(r'\W', '_', name))

    def add(self, interface: type[BaseInterface], /, **inputs: Any) -> Added:
        """Add a step and connect its inputs.

        Parameters
        ----------
        interface
            Made by `step`.
        **inputs
            Values, or outputs of earlier steps; None leaves an input at its default.
        """
        name = re.sub(r'(?<!^)(?=[A-Z])', '_', interface.__name__).lower()
        node = engine.Node(interface(), name=name)
        self.workflow.add_nodes([node])
        unknown = set(inputs) - set(node.inputs.copyable_trait_names())
        if unknown:
            raise AttributeError(f'{name} does not take {", ".join(sorted(unknown))}')
        for field, value in inputs.items():
            if isinstance(value, Output):
                self.workflow.connect(value.node, value.name, node, field)
            elif value is not None:
                setattr(node.inputs, field, str(value) if isinstance(value, Path) else value)
        return Added(node)
