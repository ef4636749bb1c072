"""Counts how many provisioned environments are at work, and which invocations found none left."""

from collections import Counter

from cloudlet.runtime import Runtime
from cloudlet.services.lambda_.measures import Measures
from cloudlet.services.lambda_.names import FunctionKey


class ProvisionedUse:
    def __init__(self, runtime: Runtime, measures: Measures) -> None:
        self._runtime = runtime
        self._measures = measures
        self._busy: Counter[str] = Counter()  # by the ARN of the version

    def enter(self, key: FunctionKey, arn: str, version: str) -> bool:
        """An invocation of `arn` begins; whether it is one that a provisioned environment of the version takes.

        The runtime gives those out first.
        """
        version_arn = f"{key.arn}:{version}"
        allocated = self._runtime.provisioned(version_arn).allocated
        if not allocated:
            return False
        taken = self._busy[version_arn] < allocated
        if taken:
            self._busy[version_arn] += 1
        self._measures.provisioned(key, arn, version, self._busy[version_arn], allocated, spilled=not taken)
        return taken

    def leave(self, key: FunctionKey, version: str) -> None:
        """One of those ended."""
        version_arn = f"{key.arn}:{version}"
        self._busy[version_arn] -= 1
        if not self._busy[version_arn]:
            del self._busy[version_arn]
