"""Functions that stream their responses: the module is a runtime of its own, since Python's does not stream."""

_RUNTIME = """
import http.client, json, os, time

def stream(respond):
    api = os.environ["AWS_LAMBDA_RUNTIME_API"]
    while True:
        polling = http.client.HTTPConnection(api)
        polling.request("GET", "/2018-06-01/runtime/invocation/next")
        next_ = polling.getresponse()
        event, id_ = json.loads(next_.read()), next_.headers["Lambda-Runtime-Aws-Request-Id"]
        answer = http.client.HTTPConnection(api)
        answer.putrequest("POST", f"/2018-06-01/runtime/invocation/{id_}/response")
        answer.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        answer.putheader("Transfer-Encoding", "chunked")
        answer.putheader("Content-Type", CONTENT_TYPE)
        answer.endheaders()
        for chunk in respond(event):
            answer.send(b"%x\\r\\n%b\\r\\n" % (len(chunk), chunk))
        answer.send(TRAILER)
        answer.getresponse().read()

CONTENT_TYPE, TRAILER = "text/plain", b"0\\r\\n\\r\\n"
FAILURE = b"0\\r\\nLambda-Runtime-Function-Error-Type: Broken\\r\\n\\r\\n"
"""


def streaming(body: str, content_type: str = "text/plain", *, fails: bool = False) -> str:
    """The source of a function whose `respond(event)`, a generator, has this body."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    end = "TRAILER = FAILURE\n" if fails else ""
    return f"{_RUNTIME}\nCONTENT_TYPE = {content_type!r}\n{end}def respond(event):\n{lines}\nstream(respond)\n"
