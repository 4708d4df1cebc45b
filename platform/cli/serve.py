"""Start everything: database, sealer, workers and web. Stops it all on Ctrl-C, and after kill -9, too."""

import argparse
import sys

HELP = "start database, sealer, workers and web"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)


def run(args: argparse.Namespace) -> int:
    from byline.audit.base import conf
    from byline.platform import supervisor
    from byline.platform.cli import setup

    setup.ensure()
    sys.stdout.write(f"Byline on http://{args.host}:{args.port}/ (CMS at /cms/). Ctrl-C stops everything.\n")
    sys.stdout.write(
        "No account yet? In another shell, with the same BYLINE_HOME: byline setup --admin NAME\n"
    )
    sys.stdout.flush()
    supervisor.serve(conf.home(), host=args.host, port=args.port)
    return 0
