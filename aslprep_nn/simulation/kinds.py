"""What there is to choose from when training data are drawn."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Split(StrEnum):
    """What a batch is for."""

    TRAINING = 'training'
    TEST = 'test'


class Orientation(StrEnum):
    """The axis across which slices are stacked."""

    SAGITTAL = 'sagittal'
    CORONAL = 'coronal'
    AXIAL = 'axial'


class Structure(IntEnum):
    """What makes a phantom's maps."""

    BRAIN = 0
    #: Every voxel drawn for itself: a network must not invent what is not there.
    VOXELWISE = 1
    #: One flow and one arrival everywhere.
    UNIFORM = 2


class LesionKind(StrEnum):
    """The lesions that are drawn."""

    #: An infarct: next to no flow inside, little and late around it.
    INFARCT = 'infarct'
    #: Late arrival through collaterals with flow nearly kept.
    DELAY = 'delay'
    #: A shunt that takes the flow of what surrounds it.
    STEAL = 'steal'
    #: A hyperperfused tumour in an oedema.
    TUMOR = 'tumour'
    #: A hyperperfused rim around a necrosis.
    RIM_TUMOR = 'tumour with a rim'
    #: A malformation: arterial blood that arrives early.
    MALFORMATION = 'arteriovenous malformation'
    #: One to three voxels with more flow.
    BRIGHT_FOCUS = 'bright focus'
    #: One to three voxels with less flow.
    DARK_FOCUS = 'dark focus'
    #: One to three voxels that blood reaches late.
    LATE_FOCUS = 'late focus'

    @property
    def number(self) -> int:
        """What stands for it in a map of lesions, where 0 is none."""
        return list(LesionKind).index(self) + 1


#: Lesions of one to three voxels.
SMALL_LESIONS = (LesionKind.BRIGHT_FOCUS, LesionKind.DARK_FOCUS, LesionKind.LATE_FOCUS)
