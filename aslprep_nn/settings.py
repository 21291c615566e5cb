"""What the user chose, fixed for the whole run of the app."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

#: Ends of the network's dial, how much bias counts against scatter: least error, least bias.
DIAL_RANGE = (1.0, 8.0)


class Estimator(StrEnum):
    """How CBF and ATT are estimated."""

    LEAST_SQUARES = 'lsq'
    #: ATT from strongly smoothed data, CBF at that ATT from lightly smoothed data.
    HYBRID = 'hyb'
    NETWORK = 'nn'

    @property
    def label(self) -> str:
        """What people call it."""
        return _LABELS[self]


_LABELS = {
    Estimator.LEAST_SQUARES: 'least squares',
    Estimator.HYBRID: 'the hybrid fit',
    Estimator.NETWORK: 'the network',
}


class Organ(StrEnum):
    """What was imaged: it sets T1 of tissue, how its voxels are found, and which CBF is usual."""

    BRAIN = 'brain'
    KIDNEY = 'kidney'


class Macrovascular(StrEnum):
    """Whether the model includes label in arteries."""

    #: Where the data call for it, at a calibrated rate of false positives.
    AUTO = 'auto'
    ON = 'on'
    OFF = 'off'


class M0Method(StrEnum):
    """What delta M is divided by."""

    #: By M0 of tissue in the same voxel: the receive field cancels.
    VOXELWISE = 'voxelwise'
    #: By one M0 of blood, from a region of known composition.
    REFERENCE = 'reference'


class ReferenceTissue(StrEnum):
    """The region that M0 of blood is taken from."""

    FLUID = 'csf'
    WHITE_MATTER = 'wm'

    @property
    def label(self) -> str:
        """The name people read."""
        return 'cerebrospinal fluid' if self is ReferenceTissue.FLUID else 'white matter'


@dataclass(frozen=True)
class M0Options:
    """How M0 is made of the images that show it.

    Parameters
    ----------
    scale
        Multiplies M0, where it was stored in other units than the series [1].
    method
        What delta M is divided by.
    reference
        Of the reference method.
    smoothing
        Width at half height of a Gaussian within the brain [mm]; 0 for none.
    """

    scale: float = 1.0
    method: M0Method = M0Method.VOXELWISE
    reference: ReferenceTissue = ReferenceTissue.FLUID
    smoothing: float = 0.0


class Misspecification(StrEnum):
    """Whether noise and model are tested."""

    #: Where the protocol allows.
    AUTO = 'auto'
    #: In every run; one whose protocol does not allow it is refused.
    ON = 'on'
    OFF = 'off'


@dataclass(frozen=True)
class NetworkOptions:
    """How the network is used.

    Parameters
    ----------
    dial
        How many times as much bias counts as scatter, 1 (least error) to 8 (least bias).
    weights
        A file of weights, its model card beside it; those of the package when absent.
    """

    dial: float = 1.0
    weights: Path | None = None


@dataclass(frozen=True)
class TrustOptions:
    """How noise and model are tested.

    Parameters
    ----------
    misspecification
        Whether they are.
    n_draws
        Subsets of the repetitions drawn for each number of them, to see how estimates settle;
        0 for none.
    false_discovery_rate
        Expected share of wrong claims among those of the map of classes.
    """

    misspecification: Misspecification = Misspecification.AUTO
    n_draws: int = 20
    false_discovery_rate: float = 0.05


@dataclass(frozen=True)
class PhysicsOptions:
    """Constants given on the command line; None leaves the choice to metadata and defaults.

    Parameters
    ----------
    labeling_efficiency
        In all, background suppression included [1].
    t1_blood, t1_tissue
        [s].
    partition_coefficient
        [mL/g].
    m0
        How M0 is made.
    macrovascular
        Whether label in arteries is part of the model, where there are several delays.
    hematocrit
        That sets T1 of blood: a fraction [1], or the column of participants.tsv that holds it.
    organ
        What was imaged.
    """

    labeling_efficiency: float | None = None
    t1_blood: float | None = None
    t1_tissue: float | None = None
    partition_coefficient: float | None = None
    m0: M0Options = field(default_factory=M0Options)
    macrovascular: Macrovascular = Macrovascular.OFF
    hematocrit: float | str | None = None
    organ: Organ = Organ.BRAIN


class Plugin(StrEnum):
    """Who carries out the steps: processes of ours, or a Nipype plugin by its name."""

    #: A process of its own for every run.
    LOCAL = 'Local'
    LINEAR = 'Linear'
    MULTIPROC = 'MultiProc'
    SLURM = 'SLURM'
    DASK = 'Dask'


@dataclass(frozen=True)
class PluginOptions:
    """The engine, and what it is told.

    Parameters
    ----------
    name
        Of the engine.
    arguments
        Names and values; which there are depends on the engine.
    """

    name: Plugin = Plugin.LOCAL
    arguments: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True)
class Settings:
    """One call of the app.

    Parameters
    ----------
    bids_dir, output_dir, work_dir
        Absolute folders; the first is never written to.
    keep_work
        False where the work folder is ours to remove after success.
    participants, sessions
        Labels without ``sub-`` and ``ses-``; empty means all.
    estimators
        The first is the primary one. A run may get fewer; see `run.Estimation`.
    network
        How the network is used, where it is among them.
    physics
        Constants that override metadata.
    trust
        How noise and model are tested.
    plugin
        Who carries out the steps.
    n_processes
        How many runs may be processed at once.
    memory
        What they may take together [B]; None for what the machine, container or job has.
    n_threads
        How many threads a step may use.
    device
        'auto', 'cpu', 'cuda' or 'cuda:N'.
    seed
        Of every random choice.
    swap_label_control
        True where aslcontext.tsv calls label control and control label.
    is_strict
        True to end with an error where a result is implausible.
    mask
        A brain mask for all runs, or a folder of masks; None to find the brain.
    skip_bids_validation
        True to start even where dataset_description.json is not as BIDS asks.
    command
        The command line, for the records.
    """

    bids_dir: Path
    output_dir: Path
    work_dir: Path
    keep_work: bool = False
    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    estimators: tuple[Estimator, ...] = (Estimator.LEAST_SQUARES, Estimator.NETWORK)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    physics: PhysicsOptions = field(default_factory=PhysicsOptions)
    trust: TrustOptions = field(default_factory=TrustOptions)
    plugin: PluginOptions = field(default_factory=PluginOptions)
    n_processes: int = 1
    memory: int | None = None
    n_threads: int = 1
    device: str = 'auto'
    seed: int = 1
    swap_label_control: bool = False
    is_strict: bool = False
    mask: Path | None = None
    skip_bids_validation: bool = False
    command: str = ''
