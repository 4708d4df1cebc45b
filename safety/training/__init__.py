"""Scripts that make what `safety/weights` ships. Nothing at run time imports this package."""
