"""Roles and functions made of a few lines, for the tests of Lambda."""

import io
import json
import zipfile
from typing import Any

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def zipped(**files: str) -> bytes:
    """A zip file of Python modules: `zipped(app="...")` holds app.py."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return content.getvalue()


def archive(files: dict[str, str | bytes]) -> bytes:
    """A zip file of files by their paths; those whose content is a program or a script may be executed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if data.startswith((b"#!", b"\x7fELF")) else 0o644) << 16
            written.writestr(entry, data)
    return content.getvalue()


def make_role(server: Any, name: str, policy: dict[str, Any] = EVERYTHING) -> str:
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    return arn


class Functions:
    """Makes functions under fresh names, and calls them."""

    def __init__(self, client: Any, role: str) -> None:
        self.client = client
        self.role = role
        self._count = 0

    def make(self, code: str, **options: Any) -> str:
        self._count += 1
        settings: dict[str, Any] = {
            "FunctionName": f"function-{self._count}",
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": self.role,
            "Code": {"ZipFile": zipped(app=code)},
            **options,
        }
        self.client.create_function(**settings)
        name: str = settings["FunctionName"]
        return name

    def call(self, name: str, event: Any = None, **options: Any) -> Any:
        """The function's answer; fails if it is an error."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), **options)
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def fail(self, name: str, event: Any = None) -> Any:
        """The error object with which the function answers."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event))
        assert answer["FunctionError"] == "Unhandled"
        return json.loads(answer["Payload"].read())
