"""Where a C2PA signature comes from: the key ring, a PKCS#11 token or a command. One setting says which.

`BYLINE["C2PA_SIGNER"] = {"CLASS": dotted path, "CONFIG": {...}}`; CONFIG becomes the class's keyword
arguments. Promises: a signer is made for one signature, in the process that signs, so nothing of it
crosses a fork; its key must be the one in the certificate, and every signature is checked against
that certificate before anything is written. Whatever is wrong (module, token, PIN, key, command)
is one SignerUnavailable that says what to do, and nothing is left half signed.
P-256 with SHA-256 (COSE ES256, RFC 9053 section 2.1; C2PA 2.4 section 13.2). Left out: other
algorithms; a limit on the time a PKCS#11 module takes (it runs inside the process, the worker's
lease is the limit).
"""

import contextlib
import hashlib
import inspect
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from byline.audit.base import conf, keyring
from byline.audit.base.errors import ConfigurationError
from byline.provenance import revocation
from byline.provenance.trust import TrustBundle

ALG = "es256"
_HASH = ec.ECDSA(hashes.SHA256())
_MAX_SIGNATURE = 256  # DER of a P-256 signature is 72 bytes at most
_token_lock = threading.Lock()  # a PKCS#11 login belongs to the process, not to a session
_modules: dict[str, int] = {}  # PKCS#11 module -> process that initialised it


class SignerUnavailable(ConfigurationError):
    """The configured signer gave no usable signature. Never holds a PIN, a key or a command's output."""

    code = "signer_unavailable"
    help = "Nothing was published. Correct BYLINE['C2PA_SIGNER'] and run `byline keys show`, then try again."


class Signer(Protocol):
    """`chain_pem`: leaf first, without the root. `sign`: r and s over SHA-256(data), 32 bytes each."""

    alg: str

    @property
    def chain_pem(self) -> str: ...

    def public_key(self) -> ec.EllipticCurvePublicKey: ...

    def sign(self, data: bytes) -> bytes: ...


def load() -> Signer:
    """A new signer as configured. ConfigurationError for a setting that fits no class."""
    from django.utils.module_loading import import_string

    entry: Mapping[str, Any] = conf.get("C2PA_SIGNER")
    where = "BYLINE['C2PA_SIGNER']"
    if not isinstance(entry, Mapping) or "CLASS" not in entry or set(entry) - {"CLASS", "CONFIG"}:
        raise ConfigurationError(
            f"{where} takes CLASS and CONFIG", help='Give {"CLASS": "dotted.path.Class"}.'
        )
    try:
        cls = import_string(entry["CLASS"])
    except ImportError as error:
        raise ConfigurationError(f"{where}: cannot import {entry['CLASS']!r}: {error}") from error
    config = dict(entry.get("CONFIG") or {})
    try:
        inspect.signature(cls).bind(**config)
    except TypeError as error:
        raise ConfigurationError(f"{where}: CONFIG does not fit {entry['CLASS']}: {error}") from error
    signer: Signer = cls(**config)
    return signer


def uses_key_ring() -> bool:
    """Whether the private key is a file of ours, as it is unless configured otherwise."""
    return bool(conf.get("C2PA_SIGNER").get("CLASS") == conf.DEFAULTS["C2PA_SIGNER"]["CLASS"])


def callback(signer: Signer, problems: list[Exception]) -> Callable[[bytes], bytes]:
    """`signer.sign` for the C2PA library, which swallows what it raises: the reason is put into `problems`.

    SignerUnavailable at once if the certificate chain is unusable or names another key.
    """
    certified = leaf_key(signer.chain_pem)
    _not_revoked(signer.chain_pem)
    if signer.public_key() != certified:
        raise SignerUnavailable(
            "the signer's key is not the key in its certificate",
            help="Install the chain that was issued for this key: `byline keys install CHAIN`.",
        )

    def sign(data: bytes) -> bytes:
        try:
            signature = signer.sign(data)
            verify(certified, signature, data)
            return signature
        except Exception as error:
            problems.append(error)
            raise

    return sign


def leaf_key(chain_pem: str) -> ec.EllipticCurvePublicKey:
    """The public key of a chain's first certificate. SignerUnavailable if it is no P-256 key."""
    try:
        key = x509.load_pem_x509_certificates(chain_pem.encode())[0].public_key()
    except ValueError as error:
        raise SignerUnavailable("the certificate chain cannot be read") from error
    return _p256(key, "the certificate's key")


def _not_revoked(chain_pem: str) -> None:
    """SignerUnavailable when a list in the key ring names the leaf."""
    trust = TrustBundle.from_installation()
    if not trust.crls:
        return
    leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
    lists = revocation.load(trust.crls, trust.crl_issuers, trust.c2pa_roots)
    if any(
        one.issuer == leaf.issuer and one.get_revoked_certificate_by_serial_number(leaf.serial_number)
        for one in lists
    ):
        raise SignerUnavailable(
            "the signer's certificate is revoked",
            help="Get another: `byline keys rotate signing`, or `byline keys csr` and `byline keys install`.",
        )


def verify(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    """SignerUnavailable unless `signature` (r and s) is this key's over `data`."""
    if len(signature) != 64:
        raise SignerUnavailable("the signer answered with something that is no P-256 signature")
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), data, _HASH)
    except InvalidSignature as error:
        raise SignerUnavailable("the signature does not belong to the signer's key") from error


def raw(der_signature: bytes) -> bytes:
    """r and s, 32 bytes each, from a DER ECDSA signature. ValueError if it is none."""
    r, s = decode_dss_signature(der_signature)
    if not 0 <= min(r, s) <= max(r, s) < 1 << 256:
        raise ValueError("not a P-256 signature")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _p256(key: Any, what: str) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignerUnavailable(f"{what} is not a P-256 key")
    return key


class _InstalledChain:
    """The chain that `byline keys install` put into the key ring; the private key may be elsewhere."""

    alg = ALG

    @property
    def chain_pem(self) -> str:
        return keyring.read("c2pa_chain").decode()


class KeyRingSigner(_InstalledChain):
    """The default: a PEM file of the key ring, readable by the workers' user alone."""

    def __init__(self) -> None:
        try:
            key = serialization.load_pem_private_key(keyring.read("c2pa_leaf"), password=None)
        except (ValueError, TypeError) as error:
            raise SignerUnavailable("the signing key in the key ring cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SignerUnavailable("the signing key is not a P-256 key")
        _p256(key.public_key(), "the signing key")
        self._key = key

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    def sign(self, data: bytes) -> bytes:
        return raw(self._key.sign(data, _HASH))


class Pkcs11Signer(_InstalledChain):
    """A key that never leaves its PKCS#11 token (HSM, smart card, SoftHSM). Needs `pip install byline[hsm]`.

    `module` is the vendor's shared library, `pin_file` a file with the user PIN, open to its owner alone.
    The token holds a P-256 key pair under `key_label`, made on the token and not extractable.
    """

    def __init__(self, module: str, token: str, key_label: str, pin_file: str) -> None:
        self._module, self._token, self._label = module, token, key_label
        self._pin = _secret(Path(pin_file))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        from pkcs11 import ObjectClass
        from pkcs11.util.ec import encode_ec_public_key

        with self._session() as session:
            found = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=self._label)
            return _p256(serialization.load_der_public_key(encode_ec_public_key(found)), "the token's key")

    def sign(self, data: bytes) -> bytes:
        from pkcs11 import Mechanism, ObjectClass

        with self._session() as session:
            key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=self._label)
            signature: bytes = key.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA)
            return signature

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        try:
            import pkcs11
        except ImportError as error:
            raise SignerUnavailable(
                "the PKCS#11 binding is not installed", help="Run `pip install 'byline[hsm]'` and try again."
            ) from error
        wrong = pkcs11.exceptions
        with _token_lock:
            try:
                library = pkcs11.lib(self._module)
                if _modules.setdefault(self._module, os.getpid()) != os.getpid():
                    library.reinitialize()  # PKCS#11 3.1 section 5.4: a child of fork starts anew
                    _modules[self._module] = os.getpid()
                with library.get_token(token_label=self._token).open(user_pin=self._pin) as session:
                    yield session
            except (wrong.NoSuchToken, wrong.TokenNotPresent, wrong.MultipleTokensReturned) as error:
                raise SignerUnavailable(f"there is no one token labelled {self._token!r}") from error
            except (wrong.NoSuchKey, wrong.MultipleObjectsReturned) as error:
                raise SignerUnavailable(f"the token holds no one key labelled {self._label!r}") from error
            except wrong.PinLocked as error:
                raise SignerUnavailable(
                    "the token is locked after too many wrong PINs",
                    help="Unlock it with the security officer's PIN, correct the PIN file, then try again.",
                ) from error
            except (wrong.PinIncorrect, wrong.PinInvalid, wrong.PinLenRange, wrong.PinExpired) as error:
                raise SignerUnavailable(
                    "the token refuses the PIN",
                    help="Correct the PIN file before the token locks itself.",
                ) from error
            except wrong.PKCS11Error as error:
                loading = "cannot be loaded or used"
                raise SignerUnavailable(
                    f"the PKCS#11 module {self._module} {loading} ({type(error).__name__})"
                ) from error


class CommandSigner(_InstalledChain):
    """A key management service by its own client: `argv` reads on stdin and writes a signature on stdout.

    stdin is SHA-256 of what is to be signed (32 bytes), or all of it with `send="data"`; stdout is r and
    s (64 bytes) or a DER signature. `public_key_file` is the key's public half as PEM. No shell is used.
    """

    def __init__(
        self, argv: Sequence[str], public_key_file: str, send: str = "digest", timeout_s: float = 10.0
    ) -> None:
        if isinstance(argv, str) or not argv or not all(isinstance(part, str) for part in argv):
            raise SignerUnavailable("argv must be a list of words: the command and its arguments")
        if send not in ("digest", "data") or not 0 < timeout_s <= 60:
            raise SignerUnavailable("send is 'digest' or 'data', timeout_s at most 60 seconds")
        self._argv, self._send, self._timeout = list(argv), send, timeout_s
        try:
            key = serialization.load_pem_public_key(Path(public_key_file).read_bytes())
        except (OSError, ValueError) as error:
            raise SignerUnavailable(f"there is no public key in PEM at {public_key_file}") from error
        self._public = _p256(key, "the public key")

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        answer = self._run(hashlib.sha256(data).digest() if self._send == "digest" else data)
        if len(answer) == 64:
            return answer
        try:
            if len(answer) > _MAX_SIGNATURE:
                raise ValueError("too long")
            return raw(answer)
        except ValueError as error:
            raise SignerUnavailable("the signing command wrote something that is no signature") from error

    def _run(self, message: bytes) -> bytes:
        name = self._argv[0]
        try:
            process = subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # may name accounts and keys
                start_new_session=True,
            )
        except OSError as error:
            raise SignerUnavailable(f"the signing command {name} cannot be started") from error
        try:
            answer, _ = process.communicate(message, timeout=self._timeout)
        except subprocess.TimeoutExpired as error:
            raise SignerUnavailable(f"the signing command {name} took over {self._timeout:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what the command started must not outlive it
            process.wait()
        if process.returncode != 0:
            raise SignerUnavailable(f"the signing command {name} failed with status {process.returncode}")
        return answer


def _secret(file: Path) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise SignerUnavailable(f"{file} is readable by others", help=f"Run `chmod 600 {file}`.")
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SignerUnavailable(f"the PIN file {file} cannot be read") from error
