"""Listings against a model: whatever keys, prefix, delimiter and page size, each key and prefix once and in order."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudlet.services.s3.listing import page_of, seal, successor, unseal

KEYS = st.lists(st.text(alphabet="ab/\ud7ff\ue000\U0010ffff", max_size=6), unique=True, max_size=30)
PREFIXES = st.text(alphabet="ab/\ud7ff", max_size=3)


def listed(keys: list[str], prefix: str, delimiter: str, after: str, limit: int) -> tuple[list[str], list[str], int]:
    """All pages: the keys, the common prefixes, and the number of pages."""
    ordered = sorted(keys)

    def scan(low: str, exclusive: bool, upper: str | None) -> list[tuple[str]]:
        return [
            (key,) for key in ordered if (key > low if exclusive else key >= low) and (upper is None or key < upper)
        ]

    rows: list[str] = []
    prefixes: list[str] = []
    pages = 0
    while True:
        page = page_of(scan, prefix, delimiter, after, limit)
        pages += 1
        assert len(page.rows) + len(page.prefixes) <= limit
        rows += [row[0] for row in page.rows]
        prefixes += page.prefixes
        if page.last is None:
            return rows, prefixes, pages
        after = page.last


@given(keys=KEYS, prefix=PREFIXES, delimiter=st.sampled_from(["", "/", "ab"]), limit=st.integers(1, 5))
@settings(max_examples=300)
def test_pages_together_are_the_whole(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    keys = [key for key in keys if key]
    wanted_rows: list[str] = []
    wanted_prefixes: list[str] = []
    for key in sorted(keys):
        if not key.startswith(prefix):
            continue
        before, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        if found:
            common = prefix + before + delimiter
            if common not in wanted_prefixes:
                wanted_prefixes.append(common)
        else:
            wanted_rows.append(key)
    assert listed(keys, prefix, delimiter, "", limit)[:2] == (wanted_rows, wanted_prefixes)


@given(text=st.text(max_size=5), other=st.text(max_size=8))
def test_the_successor_follows_all_that_begin_so(text: str, other: str) -> None:
    after = successor(text)
    if after is not None:
        assert text < after
        assert (other < after) or not other.startswith(text)
        assert text + other < after


@given(st.text())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_tokens_come_back(position: str) -> None:
    assert unseal(seal(position)) == position


@pytest.mark.parametrize("path", ["list_objects_v2", "list_objects"])
def test_folders_of_a_bucket(s3: object, bucket: str, path: str) -> None:
    for key in ("a/1", "a/2", "b/1", "c", "ä/ö"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")  # type: ignore[attr-defined]
    listing = getattr(s3, path)(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in listing["CommonPrefixes"]] == ["a/", "b/", "ä/"]
    assert [entry["Key"] for entry in listing["Contents"]] == ["c"]
    below = getattr(s3, path)(Bucket=bucket, Prefix="a/", MaxKeys=1)
    assert (below["IsTruncated"], below["Contents"][0]["Key"]) == (True, "a/1")
