"""Importing the client of Kubernetes without what it generates. Each case in a process of its own: imports stay."""

from __future__ import annotations

import subprocess
import sys

LEAN = "from controller.sources.lean import import_lean, unseen; import_lean(); "


def _said(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", LEAN + code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_client_comes_without_its_models() -> None:
    code = """
import sys
from kubernetes_asyncio import config
from kubernetes_asyncio.client.api_client import ApiClient
with unseen("kubernetes_asyncio.client"):
    import kopf
print(any(name.startswith("kubernetes_asyncio.client.models.") for name in sys.modules))
"""
    assert _said(code) == "False"


def test_who_wants_a_model_gets_it() -> None:
    code = """
from kubernetes_asyncio.client.configuration import Configuration
from kubernetes_asyncio import client, watch
print(client.V1Pod.__name__, client.CoreV1Api.__name__, client.Configuration is Configuration, watch.Watch.__name__)
"""
    assert _said(code) == "V1Pod CoreV1Api True Watch"


def test_unseen_module_is_there_again_afterwards() -> None:
    code = """
import sys
with unseen("kubernetes_asyncio.client"):
    try:
        from kubernetes_asyncio.client import ApiClient
    except ImportError:
        print("unseen")
from kubernetes_asyncio.client import ApiClient
print(ApiClient.__name__)
"""
    assert _said(code) == "unseen\nApiClient"
