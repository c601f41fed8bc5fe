"""Units, exact conversions and barcodes, without a database."""

from decimal import Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_api.items.policy import (
    ItemFacts,
    check_gtin,
    convert,
    gtin_check_digit,
    reduced,
    to_base,
)
from scm_api.items.units import UNITS, unit_code

quantities = st.decimals("0.0001", "1000000000", places=4)
parts = st.integers(1, 10**12)


def facts(**units: tuple[int, int]) -> ItemFacts:
    return ItemFacts(
        id=uuid4(),
        sku="A",
        name="A",
        base_unit="EA",
        status="active",
        is_lot_tracked=False,
        is_serial_tracked=False,
        is_expiry_tracked=False,
        units={"EA": (1, 1), **units},
    )


@given(quantities, parts, parts)
def test_a_conversion_is_exact_or_refused(
    quantity: Decimal, numerator: int, denominator: int
) -> None:
    exact = Fraction(quantity) * Fraction(numerator, denominator)
    converted = convert(quantity, numerator, denominator)
    if converted is None:
        assert (exact * 10_000).denominator > 1
    else:
        assert Fraction(converted) == exact
        assert -converted.as_tuple().exponent == 4  # type: ignore[operator]


@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_n_times_one_nth_is_exactly_one(whole: int, parts_of_one: int) -> None:
    """9 pieces of a box of 9 are 1 box, never 0.9999 or 1.0001."""
    assert convert(Decimal(parts_of_one), 1, parts_of_one) == 1
    if whole * parts_of_one <= 10**9:
        assert convert(Decimal(whole * parts_of_one), 1, parts_of_one) == whole


@given(parts, parts)
def test_a_fraction_in_lowest_terms_is_the_same_fraction(numerator: int, denominator: int) -> None:
    top, bottom = reduced(numerator, denominator)
    assert Fraction(top, bottom) == Fraction(numerator, denominator)
    assert (top <= numerator, bottom <= denominator) == (True, True)


def test_a_quantity_converts_by_any_word_of_its_unit() -> None:
    item = facts(BOX=(12, 1), CMT=(1, 3))
    assert to_base(item, Decimal("2.5"), "盒") == 30
    assert to_base(item, Decimal(7)) == 7
    assert to_base(item, Decimal(9), "cm") == 3
    assert to_base(item, Decimal(1), "CMT") is None
    assert to_base(item, Decimal(1), "KGM") is None
    assert to_base(item, Decimal(1), "furlong") is None


@pytest.mark.parametrize(
    ("word", "code"),
    [("个", "EA"), ("件", "PCE"), ("箱", "CTN"), ("盒", "BOX"), ("千克", "KGM"), ("公斤", "KGM"),
     ("kg", "KGM"), ("KG", "KGM"), ("㎏", "KGM"), ("m²", "MTK"), ("XBX", "BOX"), (" ea ", "EA"),
     ("ｐｃｓ", "PCE"), ("H87", "PCE"), ("吨", "TNE"), ("", None), ("parsec", None)],
)  # fmt: skip
def test_units_are_known_by_code_name_and_alias(word: str, code: str | None) -> None:
    assert unit_code(word) == code


def test_every_unit_code_fits_its_column_and_names_itself() -> None:
    for code, unit in UNITS.items():
        assert len(code) <= 8
        assert {unit_code(w) for w in (code, unit.unece, unit.name, unit.name_zh)} == {code}


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("96385074", "00000096385074"),
        ("614141000036", "00614141000036"),
        ("4006381333931", "04006381333931"),
        ("10614141000415", "10614141000415"),
    ],
)
def test_gtins_of_every_length_are_kept_as_14_digits(text: str, gtin: str) -> None:
    assert check_gtin(text, "/gtin") == (gtin, None)


@pytest.mark.parametrize("text", ["", "123", "96385o74", "９６３８５０７４", "123456789012345"])
def test_what_has_no_gtin_length_is_no_gtin(text: str) -> None:
    error = check_gtin(text, "/gtin")[1]
    assert error is not None
    assert error.rule.code == "not_a_gtin"


@given(st.text("0123456789", min_size=7, max_size=13).filter(lambda t: len(t) in (7, 11, 12, 13)))
def test_every_wrong_digit_is_noticed(digits: str) -> None:
    right = digits + str(gtin_check_digit(digits))
    assert check_gtin(right, "") == (right.zfill(14), None)
    for place in range(len(right)):
        wrong = right[:place] + str((int(right[place]) + 1) % 10) + right[place + 1 :]
        assert check_gtin(wrong, "")[1] is not None
