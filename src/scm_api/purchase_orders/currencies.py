"""How many decimals an amount of a currency has (ISO 4217 minor units). Two unless listed here."""

from decimal import ROUND_HALF_UP, Decimal

_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
MINOR_UNITS = {
    code: places
    for places, codes in ((0, _ZERO), (3, _THREE), (4, _FOUR))
    for code in codes.split()
}


def round_amount(amount: Decimal, currency: str) -> Decimal:
    """An amount rounded to the currency's minor unit, half away from zero."""
    step = Decimal(1).scaleb(-MINOR_UNITS.get(currency, 2))
    return amount.quantize(step, rounding=ROUND_HALF_UP)
