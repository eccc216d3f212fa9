"""An authority of the tests' own, made with openssl, and the certificates that it signs: for servers and for clients."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """Its files are in `directory`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._name = directory, name
        self.certificate, self._key = directory / f"{name}.crt", directory / f"{name}.key"
        _openssl("req", "-x509", *_NEW, "-subj", f"/CN={name}", "-days", "2", *self._to(self.certificate, self._key))

    def issue(self, name: str, address: str = "127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """The certificate and the key of `name`, which may serve at `address` and be a client."""
        certificate, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        request, extensions = self._directory / f"{name}.csr", self._directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:{address},DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
        _openssl("req", *_NEW, "-subj", f"/CN={name}", *self._to(request, key))
        signer = ["-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"]
        _openssl(
            "x509", "-req", "-in", request, *signer, "-days", str(days), "-extfile", extensions, "-out", certificate
        )
        return certificate, key

    @staticmethod
    def _to(certificate: Path, key: Path) -> tuple[str, ...]:
        return "-out", str(certificate), "-keyout", str(key)


_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
