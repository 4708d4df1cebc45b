"""Look at the moderation policy, try a new one on stored prompts, and approve it on the record.

A policy is a file, or one of the words `current` (the one that POLICY_FILE names) and `shipped`. `check`,
`diff` and `try` change nothing. Prompts are shown by their ids; --texts shows what they say as well.
"""

import argparse
import datetime as dt
import getpass
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput

HELP = "check, compare, try and activate moderation policies"
_FAILED = 70


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="what a policy says, and whether it is the one in force")
    show.add_argument("policy", nargs="?", default="current", metavar="POLICY")
    check = actions.add_parser("check", help="validate a file; the first mistake is named")
    check.add_argument("policy", metavar="POLICY")
    compare = actions.add_parser("diff", help="what would change, section by section and prompt by prompt")
    compare.add_argument("old", metavar="OLD")
    compare.add_argument("new", metavar="NEW")
    for command in (check, compare):
        command.add_argument("--stored", action="store_true", help="try it on the prompts in the database")
        command.add_argument(
            "--prompts", type=Path, metavar="FILE", help="try it on a file: a prompt a line, or JSON lines"
        )
        command.add_argument(
            "--limit", type=int, default=10_000, metavar="N", help="newest stored prompts, %(default)s"
        )
        command.add_argument("--on", type=_day, metavar="DATE", help="day for election periods, today")
        command.add_argument("--texts", action="store_true", help="show what the prompts say")
        command.add_argument("--json", action="store_true")
    activate = actions.add_parser("activate", help="approve a policy: from now on no other one is accepted")
    activate.add_argument("policy", metavar="POLICY")
    attempt = actions.add_parser("try", help="judge one text or file, without making anything")
    attempt.add_argument("text", nargs="?", default="", metavar="TEXT")
    attempt.add_argument(
        "--file", type=Path, metavar="FILE", help=".txt, .srt, .docx or .html, judged as a script"
    )
    attempt.add_argument("--policy", default="current", metavar="POLICY")
    attempt.add_argument("--profile", default="", metavar="NAME")
    attempt.add_argument("--brand", default="", metavar="NAME")
    ask = actions.add_parser("guards", help="check the configured guards against known answers")
    ask.add_argument("--digest", metavar="DIR", help="only print the digest that pins a model's directory")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    done: int = _ACTIONS[args.action](args)
    return done


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a date is written 2026-12-01") from error


def _load(named: str) -> Any:
    from byline.safety import policy

    if named == "shipped":
        return policy.load(policy.SHIPPED)
    return policy.load(None if named == "current" else Path(named))


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _show(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database_if_running
    from byline.safety.policy_diff import thresholds, tightened

    found = _load(args.policy)
    _say(f"policy {found.version}", f"sha256 {found.sha256}")
    if len(found.parts) > 1:
        _say(*(f"  {digest}  {role}" for role, digest in sorted(found.parts.items())))
    _say(
        _standing(found) if database_if_running() else "in force: not checked (the database does not answer)"
    )
    for profile in found.profiles.values():
        _say("", f"profile {profile.name}")
        _say(*(f"  {category}: {thresholds(profile, category)}" for category in profile.bands))
        _say(*(f"  {reason}: {action}" for reason, action in profile.reasons.items()))
    for place in found.jurisdictions.values():
        _say("", f"jurisdiction {place.name}: {place.title}", f"  source: {place.source}")
        _say(*(f"  {line}" for line in tightened(place.tighten)))
    for election in found.elections:
        _say("", f"election {election.name} ({election.jurisdiction}), {election.first} to {election.last}")
        _say(*(f"  everyone: {line}" for line in tightened(election.of_everyone)))
        _say(*(f"  candidates: {line}" for line in tightened(election.of_candidates)))
    for brand in found.brands.values():
        _say("", f"brand {brand.name}" + (f", also judged as {brand.profile}" if brand.profile else ""))
        _say(*(f"  {line}" for line in tightened(brand.tighten)))
        _say(*(f"  terms {item.name}: {item.action}" for item in brand.terms))
    if found.terms:
        _say("", "terms", *(f"  {item.name}: {item.action} ({item.category})" for item in found.terms))
    _say("", f"no-go list: {len(found.people)} people")
    return 0


def _standing(found: Any) -> str:
    from byline.safety import activation

    expected = activation.activated_sha256()
    if expected is None:
        return "in force: no policy was ever activated, so whatever POLICY_FILE names is used"
    return "in force: yes" if expected == found.sha256 else f"in force: no, that is {expected}"


def _check(args: argparse.Namespace) -> int:
    found = _load(args.policy)
    if not args.json:
        _say(f"{args.policy}: valid, policy {found.version}")
    if args.stored or args.prompts:
        return _outcomes(args, _load("current"), found)
    return 0


def _diff(args: argparse.Namespace) -> int:
    from byline.safety.policy_diff import sections

    old, new = _load(args.old), _load(args.new)
    if not args.json:
        _say(f"{old.version} -> {new.version}", *(sections(old, new) or ["no section differs"]))
    return _outcomes(args, old, new) if args.stored or args.prompts else 0


def _outcomes(args: argparse.Namespace, old: Any, new: Any) -> int:
    from byline.platform.cli.session import database
    from byline.safety import guards
    from byline.safety.policy_diff import changes

    on = args.on or dt.datetime.now(dt.UTC).date()
    found: list[dict[str, Any]] = []
    tried = 0

    def collect(cases: Iterator[Any]) -> None:
        nonlocal tried
        for change in changes(cases, old, new, on=on, guards=guards.configured()):
            tried += 1
            if change is None:
                continue
            row = {
                "id": change.case.id,
                "before": change.before.action,
                "after": change.after.action,
                "stricter": change.stricter,
                "reason": (change.after if change.stricter else change.before).reason,
            }
            found.append(row | ({"texts": dict(change.case.texts)} if args.texts else {}))

    if args.prompts:
        collect(_from_file(args.prompts))
    if args.stored:
        with database():
            collect(_stored(args.limit))
    if args.json:
        _say(json.dumps({"old": old.version, "new": new.version, "tried": tried, "changes": found}, indent=1))
        return 0
    for row in found:
        _say(f"{row['id']}  {row['before']} -> {row['after']}  {row['reason']}")
        _say(*(f"    {name}: {text}" for name, text in row.get("texts", {}).items() if text))
    stricter = sum(row["stricter"] for row in found)
    _say(f"{len(found)} of {tried} prompts change: {stricter} stricter, {len(found) - stricter} softer")
    return 0


def _stored(limit: int) -> Iterator[Any]:
    from byline.generation.models import GenerationRequest
    from byline.generation.stages.texts import FIELDS
    from byline.safety.policy_diff import Case

    for row in GenerationRequest.objects.order_by("-created_at")[: max(0, limit)].iterator(chunk_size=200):
        yield Case(str(row.pk), {name: getattr(row, name) for name in FIELDS}, row.profile, row.brand)


def _from_file(file: Path) -> Iterator[Any]:
    from byline.audit.base import conf
    from byline.safety.policy_diff import Case

    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read as UTF-8 text") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry: Any = {"prompt": line}
        if line.lstrip().startswith("{"):
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise InvalidInput(f"{file}, line {number}: this is no JSON object") from error
        if not all(isinstance(value, str) for value in entry.values()):
            raise InvalidInput(f"{file}, line {number}: every value is a text")
        known = {"id": str(number), "profile": conf.get("PROFILE"), "brand": ""} | entry
        texts = {name: text for name, text in entry.items() if name not in {"id", "profile", "brand"}}
        yield Case(known["id"], texts, known["profile"], known["brand"])


def _activate(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database
    from byline.safety import activation, policy

    found = _load(args.policy)
    with database():
        entry = activation.activate(found, actor=f"cli:{getpass.getuser()}")
    _say(f"activated {found.version}, entry {entry.pk} of the log")
    current = policy.load()
    if current.sha256 != found.sha256:
        _say(
            f"POLICY_FILE still names {current.version}: nothing is accepted until it names the activated one"
        )
    return 0


def _try(args: argparse.Namespace) -> int:
    from byline.audit.base import conf
    from byline.generation.script import documents
    from byline.safety import explain
    from byline.safety.moderation import moderate

    texts = {"prompt": args.text} if args.text else {}
    if args.file:
        if not args.file.is_file():
            raise InvalidInput(f"there is no file at {args.file}")
        read = documents.read(args.file)
        # Headings count as well: what a document says is everything that it says.
        texts["script"] = "\n".join([read.title, *(block.text for block in read.blocks)])
    if not texts:
        raise InvalidInput("there is nothing to judge", help="Give a TEXT, or --file FILE.")
    found = _load(args.policy)
    result = moderate(texts, found, args.profile or conf.get("PROFILE"), brand=args.brand)
    _say(f"{result.action}" + (f": {result.category}, {result.layer}" if result.category else ""))
    if result.clause:
        _say(f"  clause: {result.clause}", f"  {result.help}")
    for reason in explain.fired(result):
        words = ", ".join(repr(word) for word in reason.words) or "the text as a whole"
        _say(f"  {reason.category} by {reason.by} in {reason.text} ({reason.view}): {words}")
    _say(*(f"  {c.name}: {c.status}, {c.detail}" for c in result.checks if c.status != "available"))
    return 0


def _guards(args: argparse.Namespace) -> int:
    from byline.safety import guards
    from byline.safety.guards.weights import directory_digest

    if args.digest:
        _say(directory_digest(args.digest))
        return 0
    wrong = 0
    configured = guards.configured()
    if not configured:
        _say("no guard is configured (setting MODERATORS); the embedded tier judges alone")
    for name, guard in configured.items():
        guard.self_check()
        _say(f"{name}: {guard.info.name}, revision {guard.info.revision}")
        for example in guard.examples():
            held = example.holds(guard.score([example.text])[0])
            wrong += not held
            _say(f"  {'ok  ' if held else 'FAIL'} {example.says}: {example.text}")
    return _FAILED if wrong else 0


_ACTIONS = {
    "show": _show,
    "check": _check,
    "diff": _diff,
    "activate": _activate,
    "try": _try,
    "guards": _guards,
}
