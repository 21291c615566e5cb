"""The page on input that is wrong is what the tests hold."""

from malformed.document import PAGE, PICTURE, page, picture


def test_the_page_and_the_picture_of_wrong_input_are_current():
    assert PAGE.read_text(encoding='utf-8') == page()
    assert PICTURE.read_text(encoding='utf-8') == picture()


def test_the_page_lists_ten_problems():
    assert '4 of 5 runs cannot be processed: 10 problems' in PAGE.read_text(encoding='utf-8')
