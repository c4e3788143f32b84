"""A certificate authority for one test, a broker's certificate for 127.0.0.1, and a client's."""

import subprocess
from pathlib import Path


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_keys(folder: Path) -> Path:
    """Write ``ca``, ``broker`` and ``client`` with .key and .crt, readable for every user."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    authority = ["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl(folder, "req", "-x509", *curve, *authority, *usage)
    for name in ("broker", "client"):
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        request = ["-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"]
        _openssl(folder, "req", *curve, *request)
        signed = ["-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", f"{name}.ext"]
        signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        _openssl(folder, "x509", "-req", *signed, *signer)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder
