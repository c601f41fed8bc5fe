"""Units of measure: the codes we keep, their names, and the words people write for them.

Measures carry their UN/ECE Recommendation 20 code; packs have an everyday code here and their
Recommendation 21 code (with the X that Recommendation 20 puts before it) beside it.
"""

import unicodedata
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: our code, the UN/ECE code for exchange, its names, and other words for it."""

    code: str
    unece: str
    name: str
    name_zh: str
    aliases: tuple[str, ...] = ()


UNITS: dict[str, Unit] = {
    unit.code: unit
    for unit in (
        Unit("EA", "EA", "each", "个", ("只", "支", "根", "条", "台", "枚", "ea.")),
        Unit("PCE", "H87", "piece", "件", ("pc", "pcs", "pieces")),
        Unit("SET", "SET", "set", "套", ("组", "sets")),
        Unit("PR", "PR", "pair", "双", ("对", "副", "pairs")),
        Unit("DZN", "DZN", "dozen", "打", ("dz", "doz")),
        Unit("HUN", "CEN", "hundred", "百个", ()),
        Unit("MIL", "MIL", "thousand", "千个", ()),
        Unit("BOX", "XBX", "box", "盒", ("bx", "boxes")),
        Unit("CTN", "XCT", "carton", "箱", ("ct", "纸箱", "cartons")),
        Unit("CS", "XCS", "case", "大箱", ("cases",)),
        Unit("PK", "XPK", "pack", "包", ("pac", "xpa", "packs", "package")),
        Unit("BAG", "XBG", "bag", "袋", ("bg", "bags")),
        Unit("BOT", "XBO", "bottle", "瓶", ("bo", "bottles")),
        Unit("CAN", "XCA", "can", "罐", ("听", "cans")),
        Unit("DRM", "XDR", "drum", "桶", ("dr", "drums")),
        Unit("BKT", "XBJ", "bucket", "小桶", ("pail", "buckets")),
        Unit("ROL", "XRO", "roll", "卷", ("rl", "rolls")),
        Unit("REL", "XRL", "reel", "盘", ("reels",)),
        Unit("SHT", "ST", "sheet", "张", ("片", "sheets")),
        Unit("BDL", "XBE", "bundle", "捆", ("扎", "bundles")),
        Unit("TRY", "XPU", "tray", "托", ("盘装", "trays")),
        Unit("PLT", "XPX", "pallet", "托盘", ("pf", "栈板", "卡板", "pallets")),
        Unit("KGM", "KGM", "kilogram", "千克", ("kg", "公斤")),
        Unit("GRM", "GRM", "gram", "克", ("g",)),
        Unit("MGM", "MGM", "milligram", "毫克", ("mg",)),
        Unit("TNE", "TNE", "tonne", "吨", ("t", "公吨")),
        Unit("LBR", "LBR", "pound", "磅", ("lb", "lbs")),
        Unit("ONZ", "ONZ", "ounce", "盎司", ("oz",)),
        Unit("LTR", "LTR", "litre", "升", ("l", "liter", "公升")),
        Unit("MLT", "MLT", "millilitre", "毫升", ("ml",)),
        Unit("MTQ", "MTQ", "cubic metre", "立方米", ("m3", "立方", "方")),
        Unit("MTR", "MTR", "metre", "米", ("m", "meter", "公尺")),
        Unit("CMT", "CMT", "centimetre", "厘米", ("cm", "公分")),
        Unit("MMT", "MMT", "millimetre", "毫米", ("mm",)),
        Unit("KMT", "KMT", "kilometre", "千米", ("km", "公里")),
        Unit("INH", "INH", "inch", "英寸", ("in", "inches")),
        Unit("FOT", "FOT", "foot", "英尺", ("ft", "feet")),
        Unit("YRD", "YRD", "yard", "码", ("yd",)),
        Unit("MTK", "MTK", "square metre", "平方米", ("m2", "平方", "平米")),
        Unit("HUR", "HUR", "hour", "小时", ("h", "hr")),
        Unit("DAY", "DAY", "day", "天", ("days", "日")),
        Unit("KWH", "KWH", "kilowatt hour", "千瓦时", ("度",)),
    )
}


def _fold(word: str) -> str:
    # NFKC makes full-width letters and the signs for m² and ㎏ plain.
    return unicodedata.normalize("NFKC", word).strip().casefold()


def _words() -> dict[str, str]:
    words: dict[str, str] = {}
    for unit in UNITS.values():
        for word in {unit.code, unit.unece, unit.name, unit.name_zh, *unit.aliases}:
            if words.setdefault(_fold(word), unit.code) != unit.code:
                raise ValueError(f"{word} names two units")
    return words


_CODE_OF = _words()


def unit_code(word: str) -> str | None:
    """Our code for a unit written as a code, a name or an alias in any case; None if unknown."""
    return _CODE_OF.get(_fold(word))
