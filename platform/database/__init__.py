"""PostgreSQL for an installation that was given none: found, started, watched and stopped by us."""
