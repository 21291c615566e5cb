"""Arterial spin labelling: CBF and ATT, and how far each voxel can be trusted."""

from aslprep_nn.version import __version__

__all__ = ['__version__']
