from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from chaosday.data.reconcile import canonical
from chaosday.data.reconcile.json_text import canonical_json

# Per kind: the canonical text, every spelling of it, and spellings of nothing (None) that were once taken for it.
FORMS: dict[Callable[[str], object], dict[object, list[str]]] = {
    canonical.boolean: {
        "true": ["true", "True", "TRUE", "t", "T", "1", "yes", "on", "y"],
        "false": ["false", "False", "f", "0", "no", "OFF", "n"],
        None: ["", "2", "truee", " true", "1.0", "-1"],
    },
    canonical.number: {
        "0": ["0", "-0", "+0", "0.0", "-0.000", "0e7", ".0", "00"],
        "1.5": ["1.5", "1.50", "+1.5", "15e-1", "0.15E+1", "01.5"],
        "-12345678901234567890123456789012345678.25": ["-12345678901234567890123456789012345678.250"],
        "1" + "0" * 22: ["1e22", "1" + "0" * 22],
        "1e9999": ["1e9999", "10e9998", "0.1e10000", "1" + "0" * 9999, "1" + "0" * 9999 + ".0"],
        "2.5": ["2.5" + "0" * 500, "0" * 500 + "2.5"],
        "1" + "0" * 190 + "." + "0" * 199 + "1": ["1" + "0" * 190 + "." + "0" * 199 + "1"],
        "nan": ["NaN", "nan"],
        "inf": ["Infinity", "inf", "+INF"],
        "-inf": ["-Infinity", "-inf"],
        None: ["", "-", ".", "1_000", "0x1f", "1,5", " 1", "1 ", "1e", "\u0661", "1.5.0", "e5", "infinit"],
    },
    canonical.float_as_number: {
        "0": ["0", "0.0"],
        "-0": ["-0", "-0.0"],
        "1152921504606846976": ["1152921504606846976", "1.152921504606847e+18"],
        "0.1": ["0.1", "0.10000000000000001"],
    },
    canonical.spelled_float: {
        0.1: ["0.1", "1e-1", "0.10000000000000001", "0.1000000000000000055511151231257827"],
        9007199254740992.0: ["9007199254740992", "9007199254740992.0"],
        1e23: ["1e23", "1e+23", "100000000000000000000000", "99999999999999991611392"],
        5e-324: ["5e-324", "4.9406564584124654e-324"],
        None: ["9007199254740993", "1e-400", "1e400", "-1e400", "0.1000000000000000000001", "x", "", "1_0"],
    },
    canonical.exact_float: {
        1152921504606846976.0: ["1152921504606846976"],
        0.1: ["0.1"],
        None: ["1152921504606847000", "9007199254740993", "100000000000000000000000"],
    },
    canonical.spelled_float32: {
        0.10000000149011612: ["0.1", "0.10000000149011612", "0.100000001"],
        16777216.0: ["16777216"],
        None: ["16777217", "0.1000000001", "1e39"],
    },
    canonical.date: {
        "2024-02-29": ["2024-02-29", "2024-02-29 00:00:00", "2024-02-29T00:00:00.000"],
        "0044-03-15 BC": ["0044-03-15 BC", "0044-03-15 (BC)"],
        "0001-02-28": ["0001-02-28"],
        "12345-01-01": ["12345-01-01"],
        "infinity": ["infinity"],
        None: ["2023-02-29", "2024-02-29 12:00:00", "2024-02-29Z", "2024-2-9", "0000-00-00", "29.02.2024", ""],
    },
    canonical.time: {
        "12:00:00": ["12:00", "12:00:00", "12:00:00.000"],
        "23:59:59.123456789": ["23:59:59.123456789", "23:59:59.1234567890"],
        "-838:59:59": ["-838:59:59"],
        None: ["12:00:00 PM", "12:00:00+02", "12:60:00", "12:00:61", "noon", "12", "12:00:00 and then"],
    },
    canonical.timetz: {
        "12:00:00+02:00": ["12:00:00+02", "12:00+02:00", "12:00:00.0 +0200"],
        "12:00:00+00:00": ["12:00:00Z", "12:00:00+00"],
        "12:00:00.5-05:30:15": ["12:00:00.5-05:30:15"],
        None: ["12:00:00", "12:00:00 CET", "12:00:00+2"],
    },
    canonical.timestamp: {
        "2024-02-29 12:00:00": ["2024-02-29 12:00:00", "2024-02-29T12:00", "2024-02-29 12:00:00.000000"],
        "2024-02-29 00:00:00": ["2024-02-29"],
        "2024-02-29 12:00:00.123456789": ["2024-02-29 12:00:00.123456789"],
        "0044-03-15 00:00:00 BC": ["0044-03-15 BC"],
        "0044-03-15 10:00:00 BC": ["0044-03-15 10:00:00 BC", "0044-03-15 (BC) 10:00:00"],
        None: ["2024-02-29 12:00:00Z", "2024-02-29 12:00:00+02", "2024-02-29 12:00:00 PM", "2024-02-29 25:00:00",
               "2024-02-30 00:00:00", "0000-00-00 00:00:00", "2024-02-29 12:00:00 Europe/Berlin"],
    },
    canonical.timestamptz: {
        "2024-02-29 12:00:00": ["2024-02-29 12:00:00+00", "2024-02-29 14:00:00+02", "2024-02-29T12:00:00Z",
                                "2024-02-29 12:00:00"],
        "2024-03-01 00:30:00.5": ["2024-02-29 23:30:00.5-01:00"],
        "0001-12-31 23:00:00 BC": ["0001-01-01 00:00:00+01", "0001-12-31 23:00:00+00 BC"],
        "0001-01-01 01:00:00": ["0001-12-31 23:00:00-02 BC"],
        "0002-12-31 23:00:00 BC": ["0001-01-01 00:00:00+01 BC"],
        None: ["2024-02-29 12:00:00 CET", "2024-02-29 12:00:00+", "2024-02-29 12:00:00+99:99"],
    },
    canonical.interval: {
        "P14M-3DT14706.789S": ["1 year 2 mons -3 days +04:05:06.789", "1 year 2 months -3 days 04:05:06.789",
                               "P1Y2M-3DT4H5M6.789S"],
        "P0M1DT0S": ["1 day", "P1D", "1 day 00:00:00"],
        "P0M0DT86400S": ["24:00:00", "PT24H"],
        "P0M0DT-0.5S": ["-00:00:00.5"],
        None: ["", "P", "1", "one day", "1 day and more", "1 day 00:99:00"],
    },
    canonical.uuid: {
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8": ["6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
                                                 "6ba7b8109dad11d180b400c04fd430c8",
                                                 "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}"],
        None: ["", "6ba7b810-9dad-11d1-80b4-00c04fd430c", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    },
    canonical.network: {
        "10.0.0.1/32": ["10.0.0.1", "10.0.0.1/32"], "10.0.0.1/24": ["10.0.0.1/24"], "::1/128": ["::1", "0:0::1"],
        None: ["10.0.0.256", "10.0.0", ""],
    },
    canonical.binary: {"00FF": ["\\x00ff", "00FF"], "": ["\\x", ""], None: ["\\x0", "zz"]},
    canonical_json: {
        '{"a":1.5,"b":[null,true]}': ['{"b": [null, true], "a": 1.50}', ' {"a":15e-1,\n"b":[null,true]} '],
        '{"a":[1,{"c":"x"},2],"b":3}': ['{"b":3,"a":[1,{"c":"x"},2]}'],
        '{"a":1,"a":2}': ['{"a": 1, "a": 2}'],
        '"\\ud800"': ['"\\ud800"', '"\\uD800"'],
        '"\u00e9"': ['"\\u00e9"', '"\u00e9"'],
        "-0": ["-0", "-0.0"],
        "1" + "0" * 20: ["1e20"],
        "[" * 5000 + "]" * 5000: ["[" * 5000 + "]" * 5000],
        None: ["", "{", "[1,]", '{"a"}', '{"a":1,}', "NaN", "01", "1 2", "'a'", "[1 2]", '{1:2}', "tru", "]", "-"],
    },
}  # fmt: skip
CASES = [
    (form, canonical_text, spelling)
    for form, texts in FORMS.items()
    for canonical_text, spellings in texts.items()
    for spelling in spellings
]


def test_every_spelling_has_its_canonical_form() -> None:
    """A text has the canonical form of the value that it spells, to its last character, or none at all."""
    wrong = [(form.__name__, text, form(text)) for form, expected, text in CASES if form(text) != expected]
    assert wrong == []


@given(st.floats(allow_nan=False))
def test_a_float_is_spelled_by_itself_alone(value: float) -> None:
    """A float's shortest, 17-digit and exact texts all spell it, and no neighbour's text does."""
    from decimal import Decimal
    from math import inf, isinf, nextafter

    texts = [repr(value)] if isinf(value) else [repr(value), f"{value:.17g}", str(Decimal(value))]
    assert [canonical.spelled_float(text) for text in texts] == [value] * len(texts)
    assert canonical.spelled_float(repr(nextafter(value, inf))) != value or value == inf


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)
                    | st.dictionaries(st.text(), inner), max_leaves=20))  # fmt: skip
def test_json_is_what_python_reads(value: object) -> None:
    """Canonical JSON reads back as the value it was, and is its own canonical form."""
    import json

    once = canonical_json(json.dumps(value, indent=1))
    assert once is not None
    assert json.loads(once) == value
    assert canonical_json(once) == once
