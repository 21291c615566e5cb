"""The whole measurement vector of a voxel, however many ways of labelling made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.signal.kinetics import (
    Linearization,
    kinetics_of,
    linearize_along,
    signal_per_cbf,
)
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.response import Alternatives, Kinetics


@dataclass(frozen=True)
class Direction:
    """A signal whose strength is unknown.

    Parameters
    ----------
    signal
        At strength 1, ``(measurement, voxel)`` or ``(measurement, 1)``.
    weight
        Of the measurements, ``(measurement, voxel)`` or ``(measurement, 1)``.
    """

    signal: Tensor
    weight: Tensor

    def strength_in(self, values: Tensor) -> Tensor:
        """Find how much of the signal explains most of some values, ``(voxel,)``."""
        weighted = self.weight * self.signal
        return (weighted * values).sum(0) / self.energy

    @property
    def energy(self) -> Tensor:
        """Weighted sum of squares of the signal, ``(voxel,)`` or ``(1,)``."""
        square = (self.weight * self.signal.square()).sum(0)
        return square.clamp(min=torch.finfo(square.dtype).tiny)

    def remove_from(self, values: Tensor) -> Tensor:
        """Subtract as much of the signal as explains most of some values."""
        return values - self.signal * self.strength_in(values)

    def at(self, voxels: Tensor | slice) -> Direction:
        """Keep some voxels."""
        return Direction(
            *(
                part if part.shape[-1] == 1 else part[:, voxels]
                for part in (self.signal, self.weight)
            )
        )


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
    nuisance
        A signal of unknown strength that is present too; everything predicted is then what
        remains after that direction is projected out.
    basis
        Where coefficients in a subspace stand in for the measurements: its orthonormal basis,
        ``(measurement, component)``. Everything predicted is then a coefficient.
    """

    protocols: tuple[Protocol, ...]
    kinetics: tuple[Kinetics, ...]
    nuisance: Direction | None = None
    basis: Tensor | None = None

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
        whole = parts[0]
        if len(parts) > 1:
            whole = Linearization(*(torch.cat(terms) for terms in zip(*parts, strict=True)))
        if self.basis is not None:
            whole = Linearization(*(self.compress(term) for term in whole))
        if self.nuisance is None:
            return whole
        return Linearization(*(self.nuisance.remove_from(term) for term in whole))

    def predict(self, cbf: Tensor, att: Tensor) -> Tensor:
        """Predict the signal alone, ``(measurement, voxel)``; arguments as in `linearize`."""
        parts = [
            signal_per_cbf(protocol)
            * cbf
            * kinetics.value(att, kinetics.rate(cbf, protocol), protocol)
            for protocol, kinetics in zip(self.protocols, self.kinetics, strict=True)
        ]
        whole = self.compress(parts[0] if len(parts) == 1 else torch.cat(parts))
        return whole if self.nuisance is None else self.nuisance.remove_from(whole)

    def alternatives(self, cbf: Tensor, att: Tensor, spread: float) -> Alternatives:
        """Predict the signal under other assumptions; there is no basis and no nuisance.

        ``spread`` is explained in `Kinetics.alternatives`; the terms are ``(measurement, voxel)``.
        """
        parts: list[list[Tensor]] = []
        for protocol, kinetics in zip(self.protocols, self.kinetics, strict=True):
            rate, scale = kinetics.rate(cbf, protocol), signal_per_cbf(protocol) * cbf
            unit = kinetics.alternatives(att, rate, protocol, spread)
            parts.append([scale * term for term in unit])
        return Alternatives(*(torch.cat(terms) for terms in zip(*parts, strict=True)))

    def compress(self, signal: Tensor) -> Tensor:
        """Turn measurements, ``(measurement, voxel)``, into coefficients where there is a basis."""
        return signal if self.basis is None else self.basis.mT @ signal

    def d_t1_tissue(self, signal: Linearization) -> Tensor:
        """Turn a derivative in the decay rate into the one in tissue T1; there is no basis."""
        parts = torch.split_with_sizes(signal.d_rate, [len(p.pld) for p in self.protocols])
        models = zip(parts, self.kinetics, self.protocols, strict=True)
        return torch.cat([d_rate * k.rate_per_t1(p) for d_rate, k, p in models])

    def kinks(self) -> Tensor:
        """List every arrival time at which a derivative jumps, in order [s]."""
        parts = zip(self.protocols, self.kinetics, strict=True)
        kinks = torch.cat([kinetics.kinks(protocol).flatten() for protocol, kinetics in parts])
        return kinks.sort().values

    def without(self, nuisance: Direction) -> SignalModel:
        """Project a signal of unknown strength out of everything predicted."""
        return replace(self, nuisance=nuisance)

    def in_basis(self, basis: Tensor | None) -> SignalModel:
        """Predict coefficients in a basis, ``(measurement, component)``; measurements for None."""
        if basis is None:
            return replace(self, basis=None)
        return replace(self, basis=basis.to(self.protocols[0].pld))

    def at(self, voxels: Tensor | slice) -> SignalModel:
        """Keep some voxels of whatever varies between them."""
        nuisance = None if self.nuisance is None else self.nuisance.at(voxels)
        protocols = tuple(p.at(voxels) for p in self.protocols)
        return replace(self, protocols=protocols, nuisance=nuisance)
