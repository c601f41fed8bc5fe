"""Finding items by part of a SKU, name or barcode: the pieces that are indexed and asked for.

The index only proposes; `words like` decides, so a hit always holds every word of the question.
"""

import re
import unicodedata
from collections.abc import Iterable

# Chinese, Japanese and Korean are written without spaces: one and two characters are words there.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_IS_CJK = re.compile(rf"[{_CJK}]")


def fold(text: str) -> str:
    """Text as it is compared: full-width forms made plain, case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(texts: Iterable[str | None]) -> str:
    """Everything an item is found by, one a line, so that no match runs over two of them."""
    return "\n".join(fold(text) for text in texts if text)


def grams_of(words: str) -> list[str]:
    """The indexed pieces: of Chinese runs every character and pair, of other runs every three
    characters and the first one and two."""
    grams: set[str] = set()
    for run in _RUNS.findall(words):
        if _IS_CJK.match(run):
            grams |= set(run) | _pieces(run, 2)
        else:
            grams |= {run[:1], run[:2]} | _pieces(run, 3)
    return sorted(grams)


def asked(question: str) -> tuple[list[str], list[str]]:
    """The pieces every answer must hold, and the `like` patterns that decide.

    A word finds any text that contains it; of one or two Latin characters, words beginning so.
    """
    grams: set[str] = set()
    patterns = []
    for term in fold(question).split():
        patterns.append("%" + re.sub(r"([\\%_])", r"\\\1", term) + "%")
        runs = _RUNS.findall(term)
        wanted = {gram for place, run in enumerate(runs) for gram in _needed(run, place)}
        grams |= wanted or {runs[0]} if runs else set()
    return sorted(grams), patterns


def _needed(run: str, place: int) -> set[str]:
    if _IS_CJK.match(run):
        return _pieces(run, 2) or {run}
    if len(run) >= 3:
        return _pieces(run, 3)
    # The first run of a term may be the end of a longer word; a later one begins its word.
    return {run} if place else set()


def _pieces(run: str, length: int) -> set[str]:
    return {run[start : start + length] for start in range(len(run) - length + 1)}
