"""The pipeline's story: one ASL run from the scanner to CBF, ATT and how far to trust them."""

from __future__ import annotations

from typing import NamedTuple

from nipype.pipeline import engine

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.pipeline import interfaces as do
from aslprep_nn.pipeline.masks import mask_of
from aslprep_nn.pipeline.recipe import Added, Output, Recipe
from aslprep_nn.run import ASLRun
from aslprep_nn.settings import Estimator, Misspecification, Settings


def init_asl_wf(run: ASLRun, settings: Settings) -> engine.Workflow:
    """Tell how one run is processed.

    Parameters
    ----------
    run
        What was read from the dataset.
    settings
        What the user chose.
    """
    asl = Recipe(run.name)
    still = _hold_still(asl, run, settings)
    found = _calibrate(asl, run, settings, still)
    fitted = asl.add(
        do.FitVoxels,
        relative_delta_m=found.relative_delta_m,
        mask=still.mask,
        acquisition=run.acquisition,
        macrovascular=settings.physics.macrovascular,
        device=settings.device,
        n_threads=settings.n_threads,
    )
    trust = _assess_trust(
        asl,
        run,
        settings,
        relative_delta_m=found.relative_delta_m,
        mask=still.mask,
        fit=fitted.fit,
    )
    gathered = _gather(
        asl,
        run,
        settings,
        fitted=fitted,
        trust_maps=trust.maps,
        relative_delta_m=found.relative_delta_m,
        mask=still.mask,
    )
    derivatives = asl.add(
        do.WriteDerivatives,
        run=run,
        settings=settings,
        maps=gathered.maps,
        estimation=gathered.estimation,
        trust_summary=trust.summary,
        **_seen_on_the_way(still, found),
    )
    asl.add(
        do.ReportRun,
        run=run,
        settings=settings,
        estimation=gathered.estimation,
        written=derivatives.written,
        relative_delta_m=found.relative_delta_m,
        m0_evidence=found.m0_evidence,
        model_cbf_per_unit=derivatives.model_cbf_per_unit,
        overlap=_compare_mask(asl, run, settings, still),
    )
    return asl.workflow


def _seen_on_the_way(still: _StillHead, found: _Perfusion) -> dict[str, Output | None]:
    """Name the images that users get beside the estimates."""
    return {
        'reference': still.reference,
        'still': still.series,
        'fov_mask': still.fov_mask,
        'mask': still.mask,
        'delta_m': found.delta_m,
        'm0': found.m0,
        'confounds': found.confounds,
        'transforms': still.transforms,
    }


def _compare_mask(asl: Recipe, run: ASLRun, settings: Settings, still: _StillHead) -> Output | None:
    """Compare the brain mask with that of the template, where there is a T1w."""
    if run.anatomy.t1w is None:
        return None
    return asl.add(
        do.CompareMask,
        mask=still.mask,
        fov_mask=still.fov_mask,
        reference=still.reference,
        t1w=run.anatomy.t1w,
        seed=settings.seed,
    ).overlap


class _Perfusion(NamedTuple):
    """The difference signal as measured and over M0, and what was left out of it."""

    delta_m: Output
    relative_delta_m: Output
    m0: Output
    m0_evidence: Output
    confounds: Output


def _calibrate(asl: Recipe, run: ASLRun, settings: Settings, still: _StillHead) -> _Perfusion:
    """Subtract label from control, leave corrupted pairs out, divide by M0."""
    facts = {'series': still.series, 'volume_types': run.volume_types}
    difference = asl.add(do.SubtractPairs, timings=run.timings, encoding=run.encoding, **facts)
    screened = asl.add(
        do.ScreenPairs,
        delta_m=difference.delta_m,
        mask=still.mask,
        volume_types=run.volume_types,
        timings=run.timings,
        confounds=still.confounds,
        encoding=run.encoding,
        slice_axis=run.acquisition.slice_axis,
    )
    calibrated = asl.add(
        do.CalibrateM0,
        delta_m=screened.delta_m,
        mask=still.mask,
        m0_plan=run.m0,
        m0scan=still.m0scan,
        options=settings.physics.m0,
        acquisition=run.acquisition,
        **facts,
    )
    return _Perfusion(
        delta_m=difference.delta_m,
        relative_delta_m=calibrated.relative_delta_m,
        m0=calibrated.m0,
        m0_evidence=calibrated.m0_evidence,
        confounds=screened.confounds,
    )


def _gather(
    asl: Recipe,
    run: ASLRun,
    settings: Settings,
    *,
    fitted: Added,
    trust_maps: Output | None,
    relative_delta_m: Output,
    mask: Output,
) -> Added:
    """Let the other estimators of the run look at the same data, and compare what they found."""
    seen = {
        'relative_delta_m': relative_delta_m,
        'mask': mask,
        'fit': fitted.fit,
        'acquisition': run.acquisition,
        'device': settings.device,
        'n_threads': settings.n_threads,
    }
    estimates: dict[str, Output] = {}
    if Estimator.HYBRID in run.estimation.estimators:
        hybrid = asl.add(do.EstimateHybrid, **seen)
        estimates |= {'hybrid': hybrid.maps, 'hybrid_problems': hybrid.problems}
    weights = run.estimation.weights
    if weights is not None:
        network = asl.add(do.EstimateNetwork, weights=weights.path, dial=weights.dial, **seen)
        estimates |= {'network': network.maps, 'network_problems': network.problems}
    return asl.add(
        do.GatherEstimates,
        estimation=run.estimation,
        least_squares=fitted.maps,
        trust_maps=trust_maps,
        **estimates,
    )


class _Trust(NamedTuple):
    """What the tests found; nothing where none can be made or none were asked for."""

    maps: Output | None = None
    summary: Output | None = None


def _assess_trust(
    asl: Recipe,
    run: ASLRun,
    settings: Settings,
    *,
    relative_delta_m: Output,
    mask: Output,
    fit: Output,
) -> _Trust:
    """Test noise and model where there are several delays, and say what cannot be tested."""
    is_wanted = settings.trust.misspecification is not Misspecification.OFF
    if not (is_wanted and run.estimates_att):
        return _Trust()
    found = asl.add(
        do.AssessTrust,
        relative_delta_m=relative_delta_m,
        mask=mask,
        fit=fit,
        acquisition=run.acquisition,
        options=settings.trust,
        seed=settings.seed,
        device=settings.device,
        n_threads=settings.n_threads,
    )
    return _Trust(found.maps, found.summary)


class _StillHead(NamedTuple):
    """A series without motion, where its brain is, and how it came about."""

    series: Output
    fov_mask: Output
    mask: Output
    reference: Output
    m0scan: Output | None
    transforms: Output | None
    confounds: Output | None


def _hold_still(asl: Recipe, run: ASLRun, settings: Settings) -> _StillHead:
    """Align every volume to the reference, in one interpolation, and find the brain."""
    raw = {'series': run.series, 'volume_types': run.volume_types}
    m0scan, transforms, confounds = None, None, None
    if run.m0.path is not None:
        m0scan = asl.add(
            do.RegridM0scan, m0scan=run.m0.path, series=run.series, seed=settings.seed
        ).m0scan
    reference = asl.add(do.ChooseReference, m0scan=m0scan, **raw)
    if run.has_raw_volumes:
        motion = asl.add(
            do.EstimateMotion,
            reference=reference.image,
            timings=run.timings,
            seed=settings.seed,
            **raw,
        )
        transforms, confounds = motion.transforms, motion.confounds
    still = asl.add(do.ResampleSeries, series=run.series, transforms=transforms)
    image = reference.image
    if m0scan is None and VolumeType.M0SCAN not in run.volume_types:
        image = asl.add(
            do.SettleReference,
            reference=image,
            series=still.series,
            volume_types=run.volume_types,
        ).image
    brain = asl.add(
        do.MaskBrain,
        reference=image,
        shows_tissue=reference.shows_tissue,
        series=still.series,
        fov_mask=still.fov_mask,
        supplied=mask_of(run, settings),
        organ=settings.physics.organ,
    )
    return _StillHead(
        series=still.series,
        fov_mask=still.fov_mask,
        mask=brain.mask,
        reference=image,
        m0scan=m0scan,
        transforms=transforms,
        confounds=confounds,
    )
