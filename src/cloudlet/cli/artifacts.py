"""The bucket that holds the packages and large templates of an account and region."""

import hashlib
import json
from functools import cached_property
from pathlib import Path

from botocore.exceptions import ClientError
from rich.console import Console

from cloudlet.cli.connection import Connection
from cloudlet.cli.documents import Document, local_documents
from cloudlet.cli.errors import code
from cloudlet.cli.packaging import build, content_key, local_code
from cloudlet.cli.template import Template, read_template

_LARGEST_TEMPLATE_BODY = 51_200


class Artifacts:
    def __init__(self, connection: Connection, console: Console) -> None:
        self._connection = connection
        self._console = console
        self._s3 = connection.client("s3")

    def package(self, template: Template, folder: Path) -> None:
        """Uploads the local files that the template names, and enters into the template where they are now."""
        for document, enter in local_documents(template, folder):
            enter(self._document(document))
        keys: dict[Path, str] = {}
        for package, enter in local_code(template, folder):
            if package.path not in keys:
                zipped = build(package, lambda text: self._console.print(text, style="dim", highlight=False))
                try:
                    keys[package.path] = self._upload(zipped)
                finally:
                    zipped.unlink()
            enter(self._bucket, keys[package.path])

    def template(self, template: Template) -> dict[str, str]:
        """The argument by which CloudFormation gets it: in the request, or out of the bucket if it is large."""
        text = json.dumps(template, separators=(",", ":")).encode()
        if len(text) <= _LARGEST_TEMPLATE_BODY:
            return {"TemplateBody": text.decode()}
        return {"TemplateURL": self._template_url(text)}

    def _document(self, document: Document) -> str:
        """Uploads it; returns its address."""
        if document.is_template:
            nested = read_template(document.path)
            self.package(nested, document.path.parent)
            return self._template_url(json.dumps(nested, separators=(",", ":")).encode())
        content = document.path.read_bytes()
        key = f"{hashlib.sha256(content).hexdigest()}{document.path.suffix}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        return f"s3://{self._bucket}/{key}"

    def _template_url(self, text: bytes) -> str:
        key = f"{hashlib.sha256(text).hexdigest()}.template"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=text)
        return f"{self._connection.endpoint}/{self._bucket}/{key}"

    def _upload(self, zipped: Path) -> str:
        key = content_key(zipped)
        if not self._has(key):
            with open(zipped, "rb") as body:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        return key

    def _has(self, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if code(error) == "404":
                return False
            raise
        return True

    @cached_property
    def _bucket(self) -> str:
        """Its name, once it is there."""
        region = self._connection.region
        account = self._connection.client("sts").get_caller_identity()["Account"]
        name = f"cloudlet-artifacts-{account}-{region}"
        try:
            self._s3.head_bucket(Bucket=name)
        except ClientError as error:
            if code(error) != "404":
                raise
            place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            self._s3.create_bucket(Bucket=name, **place)
        return name
