"""The bias report of a brand: as data, in words, as a page, over the API and on the command line."""
