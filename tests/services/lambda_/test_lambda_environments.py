"""The lives of execution environments: none without work, no invocation lost when a function changes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

from function_making import Functions, make_role, zipped

from waiting import eventually


def processes_of(server: Any) -> int:
    """How many the server has started and not ended."""
    tasks = Path(f"/proc/{server.pid}/task").iterdir()
    return sum(len((task / "children").read_text().split()) for task in tasks)


def test_without_work_there_is_no_process(own_server: Any) -> None:
    own_server.stop()
    own_server.start(CLOUDLET_FUNCTION_IDLE_SECONDS="0.5")
    functions = Functions(own_server.client("lambda", max_pool_connections=10), make_role(own_server, "idle"))
    name = functions.make("import time\ndef handler(event, context): time.sleep(0.1)", Timeout=30)
    with ThreadPoolExecutor(5) as callers:
        list(callers.map(lambda _: functions.call(name), range(20)))
    assert processes_of(own_server) > 0
    eventually(lambda: processes_of(own_server) == 0)
    functions.call(name)


def test_a_function_changes_under_load(server: Any, role: str) -> None:
    functions = Functions(server.client("lambda", max_pool_connections=10), role)
    code = "import time\ndef handler(event, context):\n  time.sleep(0.05)\n  return {}"
    name = functions.make(code.format(0), FunctionName="changing", Timeout=30)
    enough = Event()
    answers: list[int] = []

    def call() -> None:
        last = 0
        while not enough.is_set():
            answer = functions.call(name)
            assert answer >= last
            last = answer
            answers.append(answer)

    with ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(call) for _ in range(4)]
        for number in range(1, 6):
            seen = len(answers)
            eventually(lambda seen=seen: len(answers) > seen + 8 or any(each.done() for each in calls))
            functions.client.update_function_code(FunctionName=name, ZipFile=zipped(app=code.format(number)))
            assert functions.call(name) == number
        enough.set()
        for each in calls:
            each.result()
    assert set(answers) >= {0, 1, 2, 3, 4}
