"""The console's files, as browsers ask for them: read once, sent with the headers that keep the page safe."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cloudlet.core.http import HttpRequest, HttpResponse

PATH = "/_cloudlet/console"
_FOLDER = Path(__file__).with_name("page")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The page holds a secret: it runs no script but its own, speaks to nobody but this server, and stands in no frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_SAFETY = [
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # A page of this origin (an object of a bucket, say) that opens the console has no hold of its window.
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
]


class _File(NamedTuple):
    type: str
    etag: str
    content: bytes


def answer(request: HttpRequest) -> HttpResponse | None:
    """None where the request is not for the console."""
    path = request.path
    if not path.startswith(PATH) or _is_of_others(request.host):
        return None
    if path == PATH:
        return _for_readers(request, HttpResponse(307, [*_SAFETY, ("Location", f"{PATH}/")]))
    if path[len(PATH)] != "/":
        return None
    file = _files().get(path[len(PATH) + 1 :])
    if file is None:
        return _text(404, "There is no such page.")
    known = file.etag in request.headers.get("if-none-match", "")
    headers = [*_SAFETY, ("ETag", file.etag), ("Content-Type", file.type)]
    return _for_readers(request, HttpResponse(304 if known else 200, headers, b"" if known else file.content))


def _is_of_others(host: str) -> bool:
    """Names under `localhost` are those of buckets and of HTTP APIs, which have all paths for themselves."""
    return host.rsplit(":", 1)[0].lower().endswith(".localhost")


def _for_readers(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    return (
        response if request.method in ("GET", "HEAD") else _text(405, "This can only be read.", ("Allow", "GET, HEAD"))
    )


def _text(status: int, words: str, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(
        status, [*_SAFETY, ("Content-Type", "text/plain; charset=utf-8"), *headers], f"{words}\n".encode()
    )


@cache
def _files() -> dict[str, _File]:
    """By what stands behind the last slash of the path; the page itself has nothing there."""
    files: dict[str, _File] = {}
    for path in _FOLDER.iterdir():
        type_ = _TYPES.get(path.suffix)
        if type_ is not None:
            content = path.read_bytes()
            files[path.name] = _File(type_, f'"{hashlib.sha256(content).hexdigest()[:32]}"', content)
    files[""] = files["index.html"]
    return files
