"""`python -m byline.platform.cli`: the same command where the script is not on the PATH."""

import sys

from byline.platform.cli import main

sys.exit(main())
