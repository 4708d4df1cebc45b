"""Scripts that make what `safety/models` ships. Nothing at run time imports this package."""
