"""The page on protocols is what the tests hold."""

from protocols.document import PAGE, page
from protocols.table import PROTOCOLS


def test_the_page_of_protocols_is_current():
    assert PAGE.read_text(encoding='utf-8') == page()


def test_every_protocol_has_its_own_name_and_a_result_or_a_reason():
    names = [protocol.name for protocol in PROTOCOLS]
    assert len(set(names)) == len(names)
    assert all(bool(protocol.gives) != bool(protocol.names) for protocol in PROTOCOLS)
    assert all(bool(protocol.names) == bool(protocol.reason) for protocol in PROTOCOLS)
