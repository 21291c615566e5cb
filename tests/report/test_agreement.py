"""How far two estimators agree is counted where both have an estimate, and said."""

import json
from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.errors import Problem
from aslprep_nn.report.agreement import agreement_facts, agreements
from aslprep_nn.report.methods import describe_methods
from aslprep_nn.report.run import write_run_report
from aslprep_nn.run import Estimation, NotOffered
from aslprep_nn.settings import Estimator


def text(results) -> str:
    return ' '.join(describe_methods(results).paragraphs)


def test_medians_and_differences_are_those_of_the_voxels_both_know(doubled_run):
    flow, time = agreements(doubled_run)
    cbf = doubled_run.maps['cbf'].values
    known = cbf[np.isfinite(cbf)]
    assert flow.n_voxels == known.size
    assert flow.reference_median == pytest.approx(np.median(known))
    assert flow.median == pytest.approx(1.1 * np.median(known))
    assert flow.difference == pytest.approx(0.1 * np.median(known))
    assert (flow.low, flow.high) == pytest.approx(tuple(np.percentile(0.1 * known, (2.5, 97.5))))
    assert flow.correlation == pytest.approx(1)
    assert time.difference == pytest.approx(0.05)
    told = [doubled_run.maps['att'].values, doubled_run.others[Estimator.NETWORK]['att'].values]
    assert time.n_voxels == np.isfinite(told).all(axis=0).sum() < flow.n_voxels


def test_a_difference_is_far_beyond_two_standard_deviations_of_least_squares(doubled_run):
    std = doubled_run.maps['std_cbf'].values
    difference = 0.1 * np.abs(doubled_run.maps['cbf'].values)
    known = np.isfinite(difference)
    flow, _ = agreements(doubled_run)
    assert flow.far == pytest.approx((difference[known] > 2 * std[known]).mean())


def test_least_squares_is_compared_with_whoever_is_primary(simulate_run, network_in):
    run = simulate_run(shape=(20, 24, 6))
    one = list(agreements(network_in(run)))
    other = list(agreements(network_in(run, primary=Estimator.NETWORK)))
    assert one == other
    assert one[0].estimator is Estimator.NETWORK


def test_sentences_name_both_medians_the_difference_and_what_agreement_does_not_show(doubled_run):
    facts = agreement_facts(doubled_run)
    flow, time, caution = facts['sentences']
    assert flow.startswith('CBF in ')
    assert 'the median difference is +0.05 s' in time.lower()
    assert 'a wrong T1 or labelling efficiency is still wrong in both' in caution
    assert json.loads(json.dumps(facts))['rows'][0]['estimator'] == 'nn'


def test_one_estimator_alone_has_nothing_to_be_compared_with(run):
    assert agreement_facts(run) is None


def test_the_report_of_a_run_holds_the_agreement_and_its_figures(doubled_run, tmp_path):
    report = json.loads(write_run_report(doubled_run, tmp_path, 'sub-01').read_text())
    assert len(report['estimators']['rows']) == 2
    names = [f['name'] for f in report['figures'] if f['section'] == 'estimators']
    assert names[0] == 'jointnn'
    assert {'fulldifferencecbf', 'fullnncbf', 'fullnnatt'} <= set(names)
    assert all((tmp_path / f['file']).exists() for f in report['figures'])


def test_the_methods_name_the_network_its_weights_and_who_is_primary(doubled_run, run):
    assert 'weights tiny, SHA-256 0123456789ab' in text(doubled_run)
    assert 'The primary estimate is that of least squares.' in text(doubled_run)
    assert 'network' not in text(run)


def test_the_methods_say_who_was_asked_for_and_did_not_serve(run):
    problem = Problem('f', 'T1 of blood', '1.35 s', '1.48 to 1.81 s', 'Nothing.')
    refused = NotOffered(Estimator.NETWORK, (problem,))
    asked = replace(run, estimation=Estimation(not_offered=(refused,)))
    assert 'The network was asked for and not used: T1 of blood is 1.35 s.' in text(asked)


def test_the_hybrid_fit_is_described_with_its_smoothing(run):
    both = (Estimator.LEAST_SQUARES, Estimator.HYBRID)
    hybrid = replace(run, estimation=Estimation(both), others={Estimator.HYBRID: run.maps})
    assert 'standard deviation of 2 voxels' in text(hybrid)
