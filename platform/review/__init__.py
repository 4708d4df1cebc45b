"""Review joined to the rest: holds, samples and reports become cases, decisions releases and takedowns."""
