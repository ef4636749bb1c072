"""The filter pattern language of CloudWatch Logs, after the examples of its documentation."""

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.services.logs.filter_pattern import compiled

EVENT = (
    '{"level": "ERROR", "latency": 120.5, "ok": false, "user": {"name": "anna", "tags": ["a", "b"]}, "nothing": null,'
    ' "items": [{"id": 1}, {"id": 2}], "dotted.name": "x", "status": 404}'
)
ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("  ", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "[error 400]", False),
        ("ERROR", "Exiting with ERRORCODE: -1", True),
        ("ERROR Exception", "[ERROR] Caught IllegalArgumentException", True),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", True),
        ("ERROR ARGUMENTS", "[ERROR 420]", False),
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "ERROR SERVER INTERNAL", False),
        (r'"a \"quoted\" word"', 'a "quoted" word', True),
        ("?ERROR ?WARN", "WARN: slow", True),
        ("?ERROR ?WARN", "INFO", False),
        ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", True),
        ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", False),
        ('-"MISSING ARGUMENTS"', "fine", True),
        ("ERROR ?WARN", "ERROR", True),
        ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", True),
        ("%colou?r [0-9]+%", "color 12", True),
        ("%^ERROR%", "an ERROR", False),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert compiled(pattern).matches(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.level = "ERROR" }', True),
        ("{ $.level = ERROR }", True),
        ('{ $.level = "ERR*" }', True),
        ('{ $.level != "ERROR" }', False),
        ("{ $.level = %^ERR% }", True),
        ("{ $.latency > 120 }", True),
        ("{ $.latency <= 1.2e2 }", False),
        ("{ $.status = 404 }", True),
        ("{ $.status = 4* }", True),
        ('{ $.user.name = "anna" }', True),
        ('{ $.user.tags[1] = "b" }', True),
        ('{ $.user.tags[*] = "b" }', True),
        ('{ $.user.tags[5] = "b" }', False),
        ("{ $.items[*].id = 2 }", True),
        ("{ $.['dotted.name'] = \"x\" }", True),
        ("{ $.ok IS FALSE }", True),
        ("{ $.ok IS TRUE }", False),
        ("{ $.nothing IS NULL }", True),
        ("{ $.absent NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ('{ $.absent != "x" }', False),
        ('{ ($.level = "ERROR") && ($.latency > 1000) }', False),
        ('{ $.level = "ERROR" && $.latency > 100 || $.status = 500 }', True),
        ('{ $.level = "INFO" || ($.status >= 400 && $.status < 500) }', True),
    ],
)
def test_json(pattern: str, expected: bool) -> None:
    assert compiled(pattern).matches(EVENT) is expected


def test_what_is_not_json_does_not_match() -> None:
    assert not compiled("{ $.level NOT EXISTS }").matches("plain text")
    assert not compiled("{ $.level NOT EXISTS }").matches("{broken")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code]", False),
        ("[ip, user, username, timestamp, request, status_code = 404, bytes > 1000]", True),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes > 2000]", False),
        ("[..., status_code = 404 || status_code = 410, bytes]", True),
        ("[ip = 127.*, ...]", True),
        ('[ip, ..., request = "*index.html*", status_code, bytes]', True),
        ("[ip, user, username != frank && username != anna, ...]", False),
        ("[ip=%127.0.0.[0-9]%, ...]", True),
        ("[..., request = *index.html*, status_code = 4*,]", True),
        ("[, , , , , status = 404, ]", True),
    ],
)
def test_space_delimited(pattern: str, expected: bool) -> None:
    assert compiled(pattern).matches(ACCESS) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        *('"open', "RequestId:", "%(a)%", "%a", "{ $.a = }", "{ $.a }", "{ a = 1 }", "{ $.a = 1", "{ }"),
        *("{ ($.a = 1 }", "{ $.a < x }", "{ $.a IS NICE }", "[a", "[..., a, ...]", "[a b c]", "{ $ = 1 }"),
        "{ $.a = %x% && $.b = %y% && $.c = %z% }",
        "[a = %x%, b = %y%, c = %z%]",
        "{ " + "(" * 500 + "$.a = 1" + ")" * 500 + " }",
    ],
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(AwsError) as caught:
        compiled(pattern)
    assert caught.value.code == "InvalidParameterException"
