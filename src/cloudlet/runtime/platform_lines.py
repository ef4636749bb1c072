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
    def billed(self) -> int:
        return math.ceil((self.duration + (self.init_duration or 0.0)) * 1000)

    @property
    def used_megabytes(self) -> int:
        return min(math.ceil(self.used / (1 << 20)), self.memory)


@dataclass(frozen=True, slots=True)
class InitReport:
    """An initialisation that failed: `duration` in seconds, `phase` init or invoke, `error` its type."""

    duration: float
    phase: str
    error: str


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
        record: dict[str, object] = {
            "initializationType": "on-demand",
            "metrics": {"durationMs": round(report.duration * 1000, 3)},
            "phase": report.phase,
            "status": "timeout" if report.error == TIMEOUT else "error",
        }
        if report.error != TIMEOUT:
            record["errorType"] = report.error
        return _json_line(now, "platform.initReport", record)

    def start(self, now: float, request_id: str, version: str) -> str:
        return _json_line(now, "platform.start", {"requestId": request_id, "version": version})

    def end(self, now: float, report: Report) -> list[str]:
        metrics: dict[str, float] = {
            "durationMs": round(report.duration * 1000, 3),
            "billedDurationMs": report.billed,
            "memorySizeMB": report.memory,
            "maxMemoryUsedMB": report.used_megabytes,
        }
        if report.init_duration is not None:
            metrics["initDurationMs"] = round(report.init_duration * 1000, 3)
        status = "success" if report.error is None else "timeout" if report.error == TIMEOUT else "error"
        record: dict[str, object] = {"requestId": report.request_id, "metrics": metrics, "status": status}
        if status == "error":
            record["errorType"] = report.error
        return [_json_line(now, "platform.report", record)]


def _json_line(now: float, kind: str, record: dict[str, object]) -> str:
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
    return orjson.dumps({"time": time, "type": kind, "record": record}).decode() + "\n"
