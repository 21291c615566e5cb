"""The page of a subject: complete, alone, and safe."""

import json
import re
import shutil
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from aslprep_nn.report.page import write_subject_page
from aslprep_nn.report.run import write_run_report


class Addresses(HTMLParser):
    """Collects what a page refers to, and which elements it holds."""

    def __init__(self, html):
        super().__init__()
        self.links, self.loaded, self.tags, self.images = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag == 'img':
            self.images.append(attributes)
        for name, value in attributes.items():
            if name in ('src', 'srcset', 'poster', 'data', 'action', 'xlink:href'):
                self.loaded.append(value)
            elif name == 'href':
                (self.links if tag == 'a' else self.loaded).append(value)


def write_record(output_dir, run, state='failed', **facts):
    folder = output_dir / 'logs' / 'runs'
    folder.mkdir(parents=True, exist_ok=True)
    subject = run.split('_')[0].removeprefix('sub-')
    record = {'run': run, 'subject': subject, 'state': state, 'problems': [], 'error': '',
              'crash_file': '', 'seconds': 2.0, 'version': '0.1.0', **facts}  # fmt: skip
    (folder / f'{run}.json').write_text(json.dumps(record))


@pytest.fixture(scope='module')
def output_dir(tmp_path_factory, run):
    folder = tmp_path_factory.mktemp('derivatives')
    write_run_report(run, folder / 'sub-01' / 'figures', 'sub-01')
    return folder


def test_a_page_shows_the_verdict_the_numbers_and_every_figure(output_dir):
    html = write_subject_page(output_dir, '01').read_text()
    report = json.loads((output_dir / 'sub-01/figures/sub-01_desc-report_asl.json').read_text())
    assert report['verdict']['word'] in html
    assert all(number['text'] in html for number in report['quality'])
    n_images = len(report['figures']) + len(report['viewer']['maps'])
    assert len(Addresses(html).images) == n_images


def test_a_page_loads_nothing_and_links_only_to_references(output_dir):
    found = Addresses(write_subject_page(output_dir, '01').read_text())
    assert found.loaded
    assert all(address.startswith('data:') for address in found.loaded)
    outside = [link for link in found.links if not link.startswith('#')]
    assert all(link.startswith('https://doi.org/') for link in outside)


def test_every_image_has_a_text_and_a_size(output_dir):
    for image in Addresses(write_subject_page(output_dir, '01').read_text()).images:
        assert len(image['alt']) > 10
        assert int(image['width']) > 0
        assert int(image['height']) > 0


def test_a_page_is_small_enough_to_send(output_dir):
    assert write_subject_page(output_dir, '01').stat().st_size <= 8e6


def test_the_word_of_the_verdict_keeps_its_width_beside_a_long_sentence():
    style = files('aslprep_nn.report').joinpath('templates', 'style.css').read_text()
    rule = re.search(r'^\.verdict \.word \{([^}]*)\}', style, re.MULTILINE).group(1)
    assert 'flex: none' in rule


def test_a_hostile_subject_name_is_text(tmp_path, simulate_run):
    name = 'sub-<script>alert(1)<'
    hostile = simulate_run(name, shape=(10, 12, 3), repetitions=2)
    write_run_report(hostile, tmp_path / name / 'figures', name)
    html = write_subject_page(tmp_path, '<script>alert(1)<').read_text()
    assert '<script>alert' not in html
    assert Addresses(html).tags.count('script') == 1


def test_a_subject_with_only_failures_gets_a_page_that_lists_them(tmp_path):
    problem = {'file': 'sub-02_asl.json', 'field': 'M0Type', 'found': 'absent',
               'expected': 'Separate', 'remedy': 'Add <M0Type>.'}  # fmt: skip
    write_record(tmp_path, 'sub-02_run-1', 'refused', problems=[problem])
    write_record(tmp_path, 'sub-02_run-2', error='Fit <broke>', crash_file='/out/crash.txt')
    html = write_subject_page(tmp_path, '02').read_text()
    for text in ('sub-02_asl.json', 'M0Type', 'Add &lt;M0Type&gt;.', 'Fit &lt;broke&gt;',
                 '/out/crash.txt'):  # fmt: skip
        assert text in html


def test_the_result_of_an_earlier_try_is_not_shown_for_a_run_that_failed(tmp_path, simulate_run):
    small = simulate_run('sub-01', shape=(10, 12, 3), repetitions=2)
    write_run_report(small, tmp_path / 'sub-01' / 'figures', 'sub-01')
    write_record(tmp_path, 'sub-01', error='no more memory')
    assert not Addresses(write_subject_page(tmp_path, '01').read_text()).images


def test_figures_beyond_the_limit_are_named_instead_of_shown(output_dir, monkeypatch):
    monkeypatch.setattr('aslprep_nn.report.page.MOST_BYTES', 400_000)
    page = write_subject_page(output_dir, '01')
    assert page.stat().st_size < 600_000
    assert 'desc-mask_asl.png' in page.read_text()


def test_a_report_that_an_earlier_version_left_is_shown_without_tests(output_dir, tmp_path):
    shutil.copytree(output_dir, tmp_path, dirs_exist_ok=True)
    path = tmp_path / 'sub-01/figures/sub-01_desc-report_asl.json'
    report = json.loads(path.read_text())
    del report['trust']
    path.write_text(json.dumps(report))
    html = write_subject_page(tmp_path, '01').read_text()
    assert report['verdict']['word'] in html
    assert '-trust"' not in html


def test_the_policy_forbids_the_network(output_dir):
    html = write_subject_page(output_dir, '01').read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html).group(1)
    assert 'default-src &#39;none&#39;' in policy
    assert 'unsafe' not in policy
    assert 'http' not in policy
