"""The lines that the platform itself logs around each invocation: START, END and REPORT, as text or as JSON."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

# The type of error of an invocation that took too long.
TIMEOUT = "Sandbox.Timedout"


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of an invocation at its end. Durations in seconds, `memory` in MB, `used` in bytes.

    `error` is the type of error of an environment that failed; errors that the function raised are not among them.
    """

    request_id: str
    duration: float
    memory: int
    used: int
    init_duration: float | None
    error: str | None

    @property
    def status(self) -> str:
        return "success" if self.error is None else "timeout" if self.error == TIMEOUT else "error"

    @property
    def record(self) -> dict[str, object]:
        """As the JSON log format and telemetry have it."""
        metrics: dict[str, float] = {
            "durationMs": round(self.duration * 1000, 3),
            "billedDurationMs": self.billed,
            "memorySizeMB": self.memory,
            "maxMemoryUsedMB": self.used_megabytes,
        }
        if self.init_duration is not None:
            metrics["initDurationMs"] = round(self.init_duration * 1000, 3)
        record: dict[str, object] = {"requestId": self.request_id, "metrics": metrics, "status": self.status}
        if self.status == "error":
            record["errorType"] = self.error
        return record

    @property
    def billed(self) -> int:
        return math.ceil((self.duration + (self.init_duration or 0.0)) * 1000)

    @property
    def used_megabytes(self) -> int:
        return min(math.ceil(self.used / (1 << 20)), self.memory)


@dataclass(frozen=True, slots=True)
class InitReport:
    """Of an initialisation: `duration` in seconds, `phase` init or invoke, `error` its type if it failed."""

    duration: float
    phase: str
    error: str | None

    @property
    def record(self) -> dict[str, object]:
        """As the JSON log format and telemetry have it."""
        record: dict[str, object] = {
            "initializationType": "on-demand",
            "metrics": {"durationMs": round(self.duration * 1000, 3)},
            "phase": self.phase,
            "status": "success" if self.error is None else "timeout" if self.error == TIMEOUT else "error",
        }
        if self.error is not None and self.error != TIMEOUT:
            record["errorType"] = self.error
        return record


class TextLines:
    """The platform's lines in the Text log format."""

    def init(self, now: float, report: InitReport) -> str:
        fields = [f"INIT_REPORT Init Duration: {report.duration * 1000:.2f} ms", f"Phase: {report.phase}"]
        if report.error == TIMEOUT:
            fields.append("Status: timeout")
        else:
            fields.append(f"Status: error\tError Type: {report.error}")
        return "\t".join(fields) + "\n"

    def start(self, now: float, request_id: str, version: str) -> str:
        return f"START RequestId: {request_id} Version: {version}\n"

    def end(self, now: float, report: Report) -> list[str]:
        fields = [
            f"REPORT RequestId: {report.request_id}",
            f"Duration: {report.duration * 1000:.2f} ms",
            f"Billed Duration: {report.billed} ms",
            f"Memory Size: {report.memory} MB",
            f"Max Memory Used: {report.used_megabytes} MB",
        ]
        if report.init_duration is not None:
            fields.append(f"Init Duration: {report.init_duration * 1000:.2f} ms")
        if report.error == TIMEOUT:
            fields.append("Status: timeout")
        elif report.error is not None:
            fields.append(f"Status: error\tError Type: {report.error}")
        return [f"END RequestId: {report.request_id}\n", "\t".join(fields) + "\t\n"]


class JsonLines:
    """The platform's lines in the JSON log format."""

    def init(self, now: float, report: InitReport) -> str:
        return _json_line(now, "platform.initReport", report.record)

    def start(self, now: float, request_id: str, version: str) -> str:
        return _json_line(now, "platform.start", {"requestId": request_id, "version": version})

    def end(self, now: float, report: Report) -> list[str]:
        return [_json_line(now, "platform.report", report.record)]


def _json_line(now: float, kind: str, record: dict[str, object]) -> str:
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
    return orjson.dumps({"time": time, "type": kind, "record": record}).decode() + "\n"
