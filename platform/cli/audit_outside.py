"""`byline audit` for people outside: check a proof, watch a log, be its witness. No database is needed.

Exit code 10 means: do not believe it. The log or the proof contradicts what was signed.
"""

import argparse
import json
import sys
from pathlib import Path

from byline.audit.base.errors import BylineError, InvalidInput

ACTIONS = ("verify-proof", "monitor", "witness")
_MAX_PROOF_BYTES = 1 << 20
_NOT_TO_BE_BELIEVED = 10


class ProofRefused(BylineError):
    code = "proof_invalid"
    help = "Do not rely on this entry. Ask whoever gave you the proof for a new one."


class LogAlarm(BylineError):
    code = "log_alarm"
    help = (
        "Keep both checkpoints: two that contradict each other are the evidence. Your state was not changed."
    )


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the three actions."""
    verify = actions.add_parser("verify-proof", help="check an inclusion proof alone, without the log")
    verify.add_argument("proof", type=Path, metavar="PROOF.json")
    verify.add_argument(
        "--vkey", required=True, metavar="KEY", help="the log's verifier key, or a file with it"
    )
    verify.add_argument(
        "--witness", action="append", default=[], metavar="KEY", help="demand its cosignature"
    )
    monitor = actions.add_parser("monitor", help="has this log only grown since I looked last?")
    monitor.add_argument("log", metavar="URL|DIR", help="where its checkpoint and tiles are")
    monitor.add_argument(
        "--vkey", required=True, metavar="KEY", help="the log's verifier key, or a file with it"
    )
    monitor.add_argument(
        "--state", type=Path, required=True, metavar="FILE", help="the last checkpoint; renewed"
    )
    monitor.add_argument(
        "--against", type=Path, metavar="CHECKPOINT", help="one that somebody else was shown"
    )
    monitor.add_argument("--deep", action="store_true", help="fetch every entry and hash it again")
    witness = actions.add_parser("witness", help="cosign the growth of other logs, over HTTP")
    witness.add_argument("name", metavar="NAME", help="how your cosignatures name you, e.g. witness.example")
    witness.add_argument(
        "--key", type=Path, required=True, metavar="FILE.pem", help="made if it is not there"
    )
    witness.add_argument(
        "--log", action="append", required=True, metavar="VKEY", help="a log to watch; repeatable"
    )
    witness.add_argument("--state", type=Path, required=True, metavar="FILE")
    witness.add_argument("--listen", default="127.0.0.1:8070", metavar="HOST:PORT")


def run(args: argparse.Namespace) -> int:
    try:
        return {"verify-proof": _verify, "monitor": _monitor, "witness": _witness}[args.action](args)
    except (ProofRefused, LogAlarm) as error:
        sys.stderr.write(f"byline: {error} [{error.code}]\n  {error.help}\n")
        return _NOT_TO_BE_BELIEVED


def _text(key: str) -> str:
    """A key given as text or as a file that holds it."""
    return Path(key).read_text().strip() if Path(key).is_file() else key


def _verify(args: argparse.Namespace) -> int:
    from byline.audit import witness
    from byline.audit.checkpoint import CheckpointInvalid
    from byline.audit.verify import ProofInvalid, verify_proof

    try:
        if args.proof.stat().st_size > _MAX_PROOF_BYTES:
            raise InvalidInput("no proof is larger than 1 MiB", help="Give one proof, as `prove` prints it.")
        proof = json.loads(args.proof.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{args.proof} holds no JSON", help="Give one proof, as `prove` prints it."
        ) from error
    try:
        entry = verify_proof(proof, _text(args.vkey))
        seen = [(key, witness.opened_by(proof["checkpoint"], _text(key))) for key in args.witness]
    except (ProofInvalid, CheckpointInvalid) as error:
        raise ProofRefused(str(error)) from error
    sys.stdout.write(f"proven under the key you supplied: leaf {proof['index']} of {proof['tree_size']}\n")
    sys.stdout.writelines(
        f"cosigned by {key.partition('+')[0]} at Unix time {moment}\n" for key, moment in seen
    )
    sys.stdout.write(json.dumps(entry, indent=2, ensure_ascii=False) + "\n")
    return 0


def _monitor(args: argparse.Namespace) -> int:
    from byline.audit import monitor
    from byline.audit.checkpoint import open_checkpoint
    from byline.platform.ledger.reading import source

    vkey, fetch = _text(args.vkey), source(args.log)
    known = args.state.read_text() if args.state.is_file() else None
    try:
        note = monitor.follow(known, fetch, vkey, deep=args.deep)
        if args.against:
            monitor.compare(args.against.read_text(), note, fetch, vkey)
    except monitor.MonitorAlarm as error:
        raise LogAlarm(f"{error.what}: {error}") from error
    scratch = args.state.with_suffix(".new")
    scratch.write_text(note)
    scratch.replace(args.state)
    size = open_checkpoint(note, vkey).size
    sys.stdout.write(
        f"{size} entries; extends {'what you saw last' if known else 'nothing: this is the first look'}\n"
    )
    return 0


def _witness(args: argparse.Namespace) -> int:
    from byline.audit.checkpoint import COSIGNATURE, vkey_for
    from byline.platform.ledger import witness_server

    host, _, port = args.listen.rpartition(":")
    if not port.isdecimal():
        raise InvalidInput("--listen wants HOST:PORT", help="For example 127.0.0.1:8070")
    private = witness_server.private_key(args.key)
    server = witness_server.server(
        (host, int(port)), args.name, private, list(map(_text, args.log)), args.state
    )
    sys.stdout.write(f"witnessing on http://{args.listen}; give the logs this key:\n")
    sys.stdout.write(f"{vkey_for(args.name, private, COSIGNATURE)}\n")
    sys.stdout.flush()
    with server:
        server.serve_forever()
    return 0
