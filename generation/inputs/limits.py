"""How large an uploaded file may be, and what is kept of it."""

MAX_BYTES = 64 << 20
MAX_PIXELS = 64_000_000  # of a still; 8K has 33 million
LONGEST_SIDE = 12_000
SMALLEST_SIDE = 16
STILL_SIDE = 2048  # larger stills are scaled down to this long side
CLIP_SIDE = 768
CLIP_SECONDS = 12.0
CLIP_FPS = 30.0
CLIP_FRAMES = 300
SONG_SECONDS = 120.0  # what is kept of a song
SHORTEST_SONG = 1.0
SILENT = 1e-3  # of full scale
CLIPPED = 0.999
MUCH_CLIPPED = 0.01  # share of samples above which it is said
