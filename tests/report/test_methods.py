"""The methods text says what was done, and cites it."""

from dataclasses import replace

from aslprep_nn.report.methods import describe_methods


def text_of(results):
    return ' '.join(describe_methods(results).paragraphs)


def test_the_text_holds_the_facts_of_the_run(run):
    text = text_of(run)
    for fact in ('36 measurements', '0.25, 0.5, 1, 1.5, 2 and 2.5 s', 'efficiency of 0.85',
                 '1.65 s in blood', '1.2 s in tissue', '0.9 mL/g'):  # fmt: skip
        assert fact in text


def test_every_work_in_the_text_is_in_the_list_and_the_other_way_round(
    run, single_delay_run, relative_run
):
    for results in (run, single_delay_run, relative_run, replace(run, confounds=None)):
        methods = describe_methods(results)
        text = ' '.join(methods.paragraphs)
        for work in methods.references:
            author = work.text.split(' ')[0]
            assert f'{author} et al.' in text
        assert text.count(' et al.') >= len(methods.references)


def test_one_delay_is_described_by_the_consensus_formula(run, single_delay_run):
    assert 'formula of the consensus paper' in text_of(single_delay_run)
    assert 'general kinetic model' in text_of(run)


def test_motion_is_described_only_where_it_was_corrected(run):
    assert 'mutual information' in text_of(run)
    assert 'head motion was not corrected' in text_of(replace(run, confounds=None))


def test_a_run_without_m0_says_so(relative_run):
    assert 'There was no M0' in text_of(relative_run)


def test_the_markdown_numbers_the_references(run):
    methods = describe_methods(run)
    lines = methods.markdown.splitlines()
    assert lines[-1].startswith(f'{len(methods.references)}. ')
    assert '### References' in lines
