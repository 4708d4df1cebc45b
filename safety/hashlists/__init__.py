"""No-go lists: perceptual hashes of pictures that must not come out of Byline, and of what was rejected.

`lists` imports, exports and removes them and is the only writer; `matching` compares. Hashes come in as
plain values, so this package knows neither the pipeline nor provenance. A match is never proof: it
means look-alike, and a person decides unless a list is set to block.
"""
