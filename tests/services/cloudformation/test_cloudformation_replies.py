"""Answers of custom resources come in without a signature, so nothing is taken in that nobody asked for."""

from typing import Any

import requests


def test_an_answer_says_how_long_it_is(server: Any) -> None:
    url = f"{server.url}/_aws/cloudformation/replies/nobody-asked"
    assert requests.put(url, data=iter([b"{}"]), timeout=20).status_code == 411
    assert requests.put(url, data=b" " * 5000, timeout=20).status_code == 413
    assert requests.put(url, data=b"{}", timeout=20).status_code == 404
