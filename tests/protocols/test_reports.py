"""Protocols that differ most from the usual one go through the whole app, report included."""

import json

import pytest
from protocols.table import PROTOCOLS
from protocols.writing import write_protocols

from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.run import main

NAMES = ('ge', 'deltam', 'hadamard8', 'vsasl6', 'quipssmulti', 'nom0', 'nocutoff')


@pytest.mark.slow
def test_unusual_protocols_leave_a_report_and_refused_ones_a_reason(tmp_path):
    chosen = [protocol for protocol in PROTOCOLS if protocol.name in NAMES]
    root = write_protocols(tmp_path / 'bids', chosen)
    options = ['--nprocs', '1', '--bootstrap', '0', '--device', 'cpu', '--estimator', 'lsq']
    assert main([str(root), str(tmp_path / 'out'), 'participant', *options]) == (
        ExitCode.SOME_FAILED
    )
    status = json.loads((tmp_path / 'out' / 'logs' / 'status.json').read_text(encoding='utf-8'))
    states = {record['subject']: record['state'] for record in status['runs']}
    assert states == {protocol.name: 'done' if protocol.gives else 'refused' for protocol in chosen}
    for protocol in chosen:
        page = (tmp_path / 'out' / f'sub-{protocol.name}.html').read_text(encoding='utf-8')
        assert (protocol.says or protocol.reason) in page
