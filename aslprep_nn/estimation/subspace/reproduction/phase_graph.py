"""Extended phase graph of a gradient-spoiled train of pulses (MRF-FISP).

Not part of the app: the paper's second example, whose signals are long and compress well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.estimation.subspace.fingerprints import Fingerprints

#: Orders of dephasing that are followed; more change no signal by 1e-5 where T2 is at most
#: .2 s and pulses are 10 ms apart.
N_ORDERS = 64
#: Numbers of one kind of state that a processor's cache holds.
CACHED = 2**13


@dataclass(frozen=True)
class PulseTrain:
    """An inversion followed by pulses of one phase, a spoiling gradient after each readout.

    Parameters
    ----------
    flip_angles
        Of each pulse, ``(frame,)`` [rad].
    repetition_time, echo_time, inversion_time
        From pulse to pulse, from pulse to readout, from the inversion to the first pulse [s].
    n_orders
        Orders of dephasing that are followed.
    """

    flip_angles: Tensor
    repetition_time: float = 0.010
    echo_time: float = 0.005
    inversion_time: float = 0.020
    n_orders: int = N_ORDERS

    def signal(self, t1: Tensor, t2: Tensor) -> Tensor:
        """Simulate tissues of M0 1 and relaxation times ``(tissue,)`` [s]: ``(tissue, frame)``."""
        return self._run(t1, t2, n_tangents=1)[0]

    def fingerprints(self, t1: Tensor, t2: Tensor) -> Fingerprints:
        """Simulate tissues with their derivatives; T1 and T2 are of interest, M0 is fitted too.

        A complex M0 is a phase more, whose derivative is orthogonal to all others.
        """
        signal, d_t1, d_t2 = self._run(t1, t2, n_tangents=3)
        jacobian = torch.stack([d_t1, d_t2, signal], -1)
        return Fingerprints(signal, jacobian, ('t1', 't2', 'm0'), ('t1', 't2'))

    def _run(self, t1: Tensor, t2: Tensor, n_tangents: int) -> Tensor:
        """Give the signal, and its derivatives in T1 and T2, ``(1 or 3, tissue, frame)``."""
        size = max(1, CACHED // (n_tangents * self.n_orders))
        pairs = zip(torch.split(t1, size), torch.split(t2, size), strict=True)
        return torch.cat([self._run_some(_Graph.inverted(*pair, self.n_orders, n_tangents))
                          for pair in pairs], 1)  # fmt: skip

    def _run_some(self, graph: _Graph) -> Tensor:
        graph.relax(self.inversion_time)
        echoes = []
        for flip_angle in self.flip_angles.tolist():
            graph.rotate(flip_angle)
            graph.relax(self.echo_time)
            echoes.append(graph.rephasing[:, 0].clone())
            graph.relax(self.repetition_time - self.echo_time)
            graph.dephase()
        return torch.stack(echoes, -1)


class _Graph:
    """Magnetisation by its order of dephasing, ``(derivative, order, tissue)``.

    The first entry of ``derivative`` is the state itself, the others, if any, its derivatives in
    T1 and T2. Pulses turn about y, so every state is real (Weigel 2015, equation 15).

    Parameters
    ----------
    dephasing, rephasing, longitudinal
        The states F of order k, F of order -k (conjugate) and Z.
    t1, t2
        ``(tissue,)`` [s].
    """

    def __init__(self, longitudinal: Tensor, t1: Tensor, t2: Tensor) -> None:
        self.dephasing = torch.zeros_like(longitudinal)
        self.rephasing = torch.zeros_like(longitudinal)
        self.longitudinal = longitudinal
        self.t1, self.t2 = t1, t2

    @classmethod
    def inverted(cls, t1: Tensor, t2: Tensor, n_orders: int, n_tangents: int) -> _Graph:
        """Begin right after an inversion of M0 1."""
        longitudinal = torch.zeros(n_tangents, n_orders, len(t1), dtype=torch.float64)
        longitudinal[0, 0] = -1
        return cls(longitudinal, t1, t2)

    def rotate(self, flip_angle: float) -> None:
        """Apply a pulse about y."""
        whole, half = math.sin(flip_angle), math.sin(flip_angle / 2) ** 2
        across = self.dephasing + self.rephasing
        added = torch.add(whole * self.longitudinal, across, alpha=-half)
        self.longitudinal.mul_(math.cos(flip_angle)).add_(across, alpha=-whole / 2)
        self.dephasing += added
        self.rephasing += added

    def relax(self, time: float) -> None:
        """Let time pass [s]."""
        across, along = torch.exp(-time / self.t2), torch.exp(-time / self.t1)
        self.longitudinal[0, 0] -= 1
        if len(self.longitudinal) > 1:
            for states in (self.dephasing, self.rephasing):
                states[2] += states[0] * (time / self.t2.square())
            self.longitudinal[1] += self.longitudinal[0] * (time / self.t1.square())
        self.dephasing *= across
        self.rephasing *= across
        self.longitudinal *= along
        self.longitudinal[0, 0] += 1

    def dephase(self) -> None:
        """Spoil by one order."""
        self.dephasing = self.dephasing.roll(1, dims=1)
        self.rephasing = self.rephasing.roll(-1, dims=1)
        self.rephasing[:, -1] = 0
        self.dephasing[:, 0] = self.rephasing[:, 0]
