"""A client's connection as uvicorn has it, with an end to what may come before a request's body."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Request line and headers together; AWS takes less.
_LARGEST_HEAD = 128 * 1024


class HttpConnection(HttpToolsProtocol):
    """Headers that never end would otherwise be kept in memory, whoever sends them."""

    _in_head = False
    _head = 0

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > _LARGEST_HEAD:
                self.send_400_response("The headers of the request are too large.")
