"""The whole measurement vector of a voxel, however many ways of labelling made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.signal.kinetics import Linearization, kinetics_of, linearize_along
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.response import Kinetics


@dataclass(frozen=True)
class SignalModel:
    """One or more protocols measured in the same voxels, stacked along the measurement axis.

    Measurements come first here, voxels last: arithmetic over voxels is then contiguous.

    Parameters
    ----------
    protocols
        Each with its measurement axis first (`Protocol.measurements_first`).
    kinetics
        The kinetic model of each protocol.
    """

    protocols: tuple[Protocol, ...]
    kinetics: tuple[Kinetics, ...]

    @classmethod
    def of(
        cls,
        acquisitions: Sequence[Acquisition],
        kinetics: Sequence[Kinetics] | None = None,
        *,
        slice_delay: Tensor | None = None,
        t1_tissue: Tensor | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = 'cpu',
    ) -> SignalModel:
        """Build the model of one or more acquisitions; see `Protocol.of`.

        ``kinetics`` holds one model per acquisition; those their labelling calls for when
        absent.
        """
        protocols = tuple(
            Protocol.of(
                acquisition,
                slice_delay=slice_delay,
                t1_tissue=t1_tissue,
                dtype=dtype,
                device=device,
            ).measurements_first()
            for acquisition in acquisitions
        )
        if kinetics is None:
            kinetics = [kinetics_of(p.labeling, p.bolus_cut_off) for p in protocols]
        return cls(protocols, tuple(kinetics))

    def linearize(self, cbf: Tensor, att: Tensor, regime: Tensor | None = None) -> Linearization:
        """Predict the signal and its first derivatives.

        Parameters
        ----------
        cbf, att
            ``(voxel,)`` [mL/100 g/min, s].
        regime
            See `Kinetics.response`.

        Returns
        -------
        Each term ``(measurement, voxel)``.
        """
        parts = [
            linearize_along(cbf, att, protocol, kinetics, regime)
            for protocol, kinetics in zip(self.protocols, self.kinetics, strict=True)
        ]
        if len(parts) == 1:
            return parts[0]
        return Linearization(*(torch.cat(terms) for terms in zip(*parts, strict=True)))

    def kinks(self) -> Tensor:
        """List every arrival time at which a derivative jumps, in order [s]."""
        parts = zip(self.protocols, self.kinetics, strict=True)
        kinks = torch.cat([kinetics.kinks(protocol).flatten() for protocol, kinetics in parts])
        return kinks.sort().values

    def at(self, voxels: Tensor | slice) -> SignalModel:
        """Keep some voxels of whatever varies between them."""
        return replace(self, protocols=tuple(p.at(voxels) for p in self.protocols))
