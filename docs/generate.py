"""Writes docs/services/: for every API, what Cloudlet has of it and where it differs from AWS.

The operations come from the code, the rest of the API from its model, the differences from `differences.md` beside
the service. `python docs/generate.py` writes the pages; with `--check` it only fails if they are not up to date.
"""

import argparse
import importlib
import pkgutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from cloudlet import services
from cloudlet.core.clock import SystemClock
from cloudlet.core.model import api_model
from cloudlet.core.service import Cloud, Service
from cloudlet.core.settings import Settings

FOLDER = Path(__file__).parent / "services"
NOTE = "<!-- Written by docs/generate.py. The differences stand in the service's differences.md. -->"
# Names that botocore's models give in a form that nobody uses.
TITLES = {
    "apigatewayv2": "Amazon API Gateway (HTTP APIs)",
    "dynamodbstreams": "Amazon DynamoDB Streams",
    "iam": "AWS Identity and Access Management (IAM)",
    "s3": "Amazon Simple Storage Service (S3)",
    "sns": "Amazon Simple Notification Service (SNS)",
    "sqs": "Amazon Simple Queue Service (SQS)",
    "sts": "AWS Security Token Service (STS)",
}


@dataclass(frozen=True, slots=True)
class Api:
    """One API as it is here. `differences` is Markdown; `others` are APIs over the same data."""

    name: str
    implemented: tuple[str, ...]
    missing: tuple[str, ...]
    differences: str
    others: tuple[str, ...]

    @property
    def title(self) -> str:
        return TITLES.get(self.name) or str(api_model(self.name).metadata["serviceFullName"])


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the pages of docs/services.")
    parser.add_argument("--check", action="store_true", help="fail if a page is not up to date, change nothing")
    check = parser.parse_args().check
    pages = all_pages()
    stale = sorted(name for name, text in pages.items() if _read(FOLDER / name) != text)
    left_over = sorted(path.name for path in FOLDER.glob("*.md") if path.name not in pages)
    if check:
        for name in (*stale, *left_over):
            print(f"docs/services/{name} is not up to date: run docs/generate.py", file=sys.stderr)  # noqa: T201
        return 1 if stale or left_over else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(pages[name])
    for name in left_over:
        (FOLDER / name).unlink()
    return 0


def all_pages() -> dict[str, str]:
    """The pages' texts by the names of their files."""
    apis = sorted((api for service in all_services() for api in apis_of(service)), key=lambda api: api.title.lower())
    return {"README.md": overview(apis)} | {f"{api.name}.md": page(api) for api in apis}


def all_services() -> list[Service]:
    cloud = Cloud(Settings(data=Path()), SystemClock())
    found: list[Service] = []
    for package in pkgutil.iter_modules(services.__path__):
        module = importlib.import_module(f"{services.__name__}.{package.name}")
        exported = [getattr(module, name) for name in getattr(module, "__all__", ())]
        found += [kind(cloud) for kind in exported if isinstance(kind, type) and issubclass(kind, Service)]
    return found


def apis_of(service: Service) -> list[Api]:
    served = {(operation.api, operation.name) for operation in service.operations()}
    source = Path(str(sys.modules[type(service).__module__].__file__)).with_name("differences.md")
    found: list[Api] = []
    for api in service.apis:
        names = sorted(api_model(api).operation_names)
        implemented = tuple(name for name in names if (api, name) in served)
        missing = tuple(name for name in names if (api, name) not in served)
        others = tuple(other for other in service.apis if other != api)
        found.append(Api(api, implemented, missing, _read(source).strip(), others))
    return found


def overview(apis: list[Api]) -> str:
    rows = [
        f"| [{api.title}]({api.name}.md) | `{api.name}` | {len(api.implemented)} of {_count(api)} |" for api in apis
    ]
    return "\n".join(
        [
            "# Services",
            "",
            NOTE,
            "",
            _wrapped(
                "These are the APIs that Cloudlet speaks, each with the operations that it has. All others answer with "
                "HTTP status 501 and the error `NotImplemented`; so does an option of an operation that is not there."
            ),
            "",
            "| Service | API | Operations |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def page(api: Api) -> str:
    lines = [
        f"# {api.title}",
        "",
        NOTE,
        "",
        f"API `{api.name}`: {len(api.implemented)} of {_count(api)} operations.",
        "",
    ]
    if api.others:
        links = ", ".join(f"[{other}]({other}.md)" for other in api.others)
        lines += [f"The same service also serves {links}.", ""]
    lines += ["## Operations", "", *(f"- {_link(api, name)}" for name in api.implemented), ""]
    if api.missing:
        lines += ["## Not there yet (501 `NotImplemented`)", "", _wrapped(", ".join(api.missing)), ""]
    if api.differences:
        lines += ["## Differences from AWS", "", api.differences, ""]
    return "\n".join(lines)


def _link(api: Api, name: str) -> str:
    """AWS's page on the operation, at the address that AWS keeps for this."""
    return f"[{name}](https://docs.aws.amazon.com/goto/WebAPI/{api_model(api.name).metadata['uid']}/{name})"


def _count(api: Api) -> int:
    return len(api.implemented) + len(api.missing)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
