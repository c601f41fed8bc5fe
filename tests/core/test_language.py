"""Language negotiation of answers."""

import pytest

from scm_api.core.language import negotiate_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("fr, de;q=0.5", "en"),
        ("zh-CN", "zh-CN"),
        ("zh", "zh-CN"),
        ("ZH-hans-cn", "zh-CN"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.3, zh;q=0.7", "zh-CN"),
        ("en;q=0.5, zh;q=0.5", "en"),
        ("zh;q=0", "en"),
        ("fr, zh;q=0.1", "zh-CN"),
        ("zh;q=banana", "en"),
        ("zh;q=nan", "en"),
        ("zh ; q = 0.8 , en;q=0.2", "zh-CN"),
        ("zha", "en"),
    ],
)
def test_the_preferred_of_our_two_languages_is_spoken(header: str | None, language: str) -> None:
    assert negotiate_language(header) == language
