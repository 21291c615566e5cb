"""``aslprep_nn-tools``: what surrounds a study: simulate, measure, reproduce."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from aslprep_nn.cli.tools.benchmark import add_benchmark
from aslprep_nn.cli.tools.evaluate import add_evaluate
from aslprep_nn.cli.tools.reproduce import add_reproduce
from aslprep_nn.cli.tools.simulate import add_simulate
from aslprep_nn.cli.tools.train import add_train
from aslprep_nn.version import __version__

AddTool = Callable[['argparse._SubParsersAction[argparse.ArgumentParser]'], None]

#: Each adds its sub-parser and sets `run`, which takes the options and returns an exit code.
TOOLS: tuple[AddTool, ...] = (add_simulate, add_train, add_benchmark, add_evaluate, add_reproduce)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one tool and return its exit code."""
    parser = argparse.ArgumentParser(prog='aslprep_nn-tools', description=__doc__)
    parser.add_argument('--version', action='version', version=f'%(prog)s {__version__}')
    tools = parser.add_subparsers(dest='tool', required=True, metavar='TOOL')
    for add_tool in TOOLS:
        add_tool(tools)
    options = parser.parse_args(arguments)
    exit_code: int = options.run(options)
    return exit_code
