"""Has the SDK pull and build over our own connections where it can't make such itself: ssh and TLS. For `client.py`."""

from __future__ import annotations

from typing import Any

from docker import APIClient
from docker.transport.basehttpadapter import BaseHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from controller.agents.docker.wire import Address

CONNECTIONS = 8  # kept open


def client_over(address: Address, version: str, timeout: float) -> APIClient:
    """An SDK client whose every connection is `address.connect`. `version`: of the engine's API."""
    client = APIClient("unix:///nowhere", version, timeout=int(timeout))
    client.mount("http+docker://", _Adapter(address, timeout))
    return client


class _Connection(HTTPConnection):
    def __init__(self, address: Address, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._address, self._seconds = address, seconds

    def connect(self) -> None:
        self.sock = self._address.connect(self._seconds)


class _Pool(HTTPConnectionPool):
    def __init__(self, address: Address, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds, maxsize=CONNECTIONS)
        self._address, self._seconds = address, seconds

    def _new_conn(self) -> _Connection:
        return _Connection(self._address, self._seconds)


class _Adapter(BaseHTTPAdapter):
    def __init__(self, address: Address, seconds: float) -> None:
        self._pool = _Pool(address, seconds)
        super().__init__()

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> Any:
        return request.path_url

    def close(self) -> None:
        self._pool.close()
        super().close()
