"""What the starter model was shown: colours, subjects, motions, settings, and the words for them.

Every concept has one canonical key (drawn) and several phrases (captions), so that the model
learns the concept and MiniLM's neighbourhoods carry it to words that are not listed here.
"""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 32, 38),
    "green": (28, 160, 58),
    "blue": (32, 76, 222),
    "yellow": (252, 214, 34),
    "purple": (142, 44, 190),
    "orange": (250, 128, 18),
    "white": (248, 248, 248),
    "pink": (250, 128, 186),
    "black": (22, 22, 26),
    "brown": (124, 76, 38),
}
COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "red", "red", "crimson", "scarlet"),
    "green": ("green", "green", "green", "emerald"),
    "blue": ("blue", "blue", "blue", "navy blue"),
    "yellow": ("yellow", "yellow", "yellow", "golden"),
    "purple": ("purple", "purple", "violet"),
    "orange": ("orange",),
    "white": ("white",),
    "pink": ("pink", "pink", "rosy"),
    "black": ("black",),
    "brown": ("brown",),
}
OBJECTS: dict[str, tuple[str, ...]] = {
    "ball": ("ball", "ball", "sphere", "circle", "orb"),
    "box": ("box", "square", "cube", "block"),
    "triangle": ("triangle", "pyramid"),
    "star": ("star",),
    "ring": ("ring", "hoop", "donut"),
    "heart": ("heart",),
    "balloon": ("balloon",),
    "car": ("car", "car", "automobile"),
    "bus": ("bus", "van", "truck"),
    "boat": ("boat", "sailboat", "ship"),
    "bird": ("bird",),
    "fish": ("fish",),
    "rocket": ("rocket", "spaceship"),
    "cat": ("cat", "kitten"),
    "dog": ("dog", "puppy"),
    "flower": ("flower", "rose"),
}
SETTINGS: dict[str, tuple[str, ...]] = {
    "sky": ("in the blue sky", "in the sky", "among the clouds", "on a clear day"),
    "night": ("at night", "in the night sky with stars", "under the stars", "at midnight"),
    "sunset": ("at sunset", "at dusk", "against the setting sun"),
    "sea": ("by the sea", "over the sea", "at the ocean", "on the water"),
    "desert": ("in the desert", "over the sand dunes"),
    "meadow": ("in a green meadow", "on the grass", "in a grassy field", "in the park"),
    "city": ("in the city", "on a city street", "downtown", "in front of tall buildings"),
    "snow": ("in the snow", "in a snowy landscape", "in winter"),
    "forest": ("in the forest", "in the woods", "among the trees"),
    "room": ("in a room", "in an office", "indoors", "in a studio"),
    "mountains": ("in the mountains", "among the peaks", "in the alps"),
    "underwater": ("under water", "underwater", "deep in the ocean"),
    "space": ("in space", "in outer space", "among the planets"),
    "stage": ("on a stage", "in a theatre", "under the spotlight"),
}
# Times of day for the settings in OUTDOORS; "" is by day and need not be said.
TIMES: dict[str, tuple[str, ...]] = {
    "night": ("at night", "at night", "at midnight", "after dark"),
    "sunset": ("at sunset", "at dusk", "in the evening"),
}
OUTDOORS = ("sea", "desert", "meadow", "city", "snow", "forest", "mountains")
OBJECT_MOTIONS: dict[str, tuple[str, ...]] = {
    "right": ("moves right", "moves to the right", "slides to the right", "goes right"),
    "left": ("moves left", "moves to the left", "slides to the left", "goes left"),
    "rise": ("rises", "goes up", "floats up", "flies upward"),
    "fall": ("falls", "drops down", "goes down", "sinks"),
    "bounce": ("bounces", "is bouncing", "jumps up and down", "hops"),
    "spin": ("spins", "rotates", "turns around"),
    "grow": ("grows", "gets bigger", "comes closer"),
    "shrink": ("shrinks", "gets smaller", "goes away"),
    "shake": ("shakes", "swings from side to side", "sways back and forth", "wobbles"),
    "still": ("stays still", "rests", "stands still"),
}
PERSON_MOTIONS: dict[str, tuple[str, ...]] = {
    "right": ("walks right", "walks to the right"),
    "left": ("walks left", "walks to the left"),
    "wave": ("waves", "waves hello", "is waving a hand", "greets the camera"),
    "jump": ("jumps", "is jumping", "jumps up and down"),
    "dance": ("dances", "is dancing"),
    "talk": ("talks", "speaks to the camera", "explains", "is speaking"),
    "still": ("stands still", "stands", "looks at the camera"),
    "grow": ("comes closer", "walks toward the camera"),
}
# profession -> (phrases, dress key in people.py)
PROFESSIONS: dict[str, tuple[str, ...]] = {
    "doctor": ("doctor", "doctor", "physician", "surgeon"),
    "nurse": ("nurse",),
    "police": ("police officer", "officer", "guard"),
    "firefighter": ("firefighter",),
    "chef": ("chef", "cook", "baker"),
    "farmer": ("farmer", "gardener"),
    "builder": ("construction worker", "builder", "engineer"),
    "scientist": ("scientist", "chemist", "researcher"),
    "business": ("business person", "lawyer", "CEO", "manager", "politician"),
    "athlete": ("athlete", "runner", "player"),
    "astronaut": ("astronaut",),
    "artist": ("artist", "painter"),
    "judge": ("judge",),
    "reporter": ("journalist", "reporter", "news anchor"),
    "teacher": ("teacher", "professor"),
    "student": ("student",),
}
GENDERS: dict[str, tuple[str, ...]] = {
    "woman": ("woman", "female", "lady"),
    "man": ("man", "male", "gentleman"),
}
AGES: dict[str, tuple[str, ...]] = {
    "child": ("little", "little", "small"),
    "adult": ("young adult", "young adult", "twenty-year-old"),
    "middle": ("middle-aged", "middle-aged", "fifty-year-old"),
    "older": ("older", "elderly", "old", "senior"),
}
SKINS: dict[str, tuple[tuple[int, int, int], tuple[str, ...]]] = {
    "light": ((246, 206, 176), ("light-skinned", "white", "fair-skinned", "European", "East Asian")),
    "medium": ((196, 134, 84), ("brown-skinned", "olive-skinned", "South Asian", "Latino", "Middle Eastern")),
    "dark": ((104, 62, 38), ("dark-skinned", "Black", "African", "dark-skinned")),
}

COUNTS: dict[int, tuple[str, ...]] = {2: ("two", "two", "a pair of"), 3: ("three",)}
CAMERAS: dict[str, tuple[str, ...]] = {
    "zoom in": ("the camera zooms in", "zoom in", "the camera moves closer"),
    "zoom out": ("the camera zooms out", "zoom out", "the camera moves back"),
    "pan right": ("the camera pans right", "pan right"),
    "pan left": ("the camera pans left", "pan left"),
}
STYLES: dict[str, tuple[str, ...]] = {
    "grey": ("in black and white", "as a black and white film"),
    "sepia": ("in sepia tones", "as an old sepia photograph"),
    "pastel": ("in pastel colours", "in a soft pastel style"),
}
# Emoji glyphs in their own colours: name -> (character, phrases). All face left, as the font draws them.
SPRITES: dict[str, tuple[str, tuple[str, ...]]] = {
    "elephant": ("\U0001f418", ("elephant",)),
    "lion": ("\U0001f981", ("lion", "lion's face")),
    "tiger": ("\U0001f405", ("tiger",)),
    "giraffe": ("\U0001f992", ("giraffe",)),
    "zebra": ("\U0001f993", ("zebra",)),
    "horse": ("\U0001f40e", ("horse", "pony")),
    "cow": ("\U0001f404", ("cow", "cattle")),
    "pig": ("\U0001f416", ("pig",)),
    "sheep": ("\U0001f411", ("sheep", "lamb")),
    "rabbit": ("\U0001f407", ("rabbit", "bunny")),
    "penguin": ("\U0001f427", ("penguin",)),
    "owl": ("\U0001f989", ("owl",)),
    "duck": ("\U0001f986", ("duck",)),
    "rooster": ("\U0001f413", ("rooster", "chicken")),
    "turtle": ("\U0001f422", ("turtle", "tortoise")),
    "crocodile": ("\U0001f40a", ("crocodile", "alligator")),
    "snake": ("\U0001f40d", ("snake",)),
    "frog": ("\U0001f438", ("frog", "toad")),
    "whale": ("\U0001f433", ("whale",)),
    "octopus": ("\U0001f419", ("octopus",)),
    "crab": ("\U0001f980", ("crab",)),
    "butterfly": ("\U0001f98b", ("butterfly",)),
    "bee": ("\U0001f41d", ("bee",)),
    "snail": ("\U0001f40c", ("snail",)),
    "dinosaur": ("\U0001f996", ("dinosaur", "T-rex")),
    "camel": ("\U0001f42b", ("camel",)),
    "monkey": ("\U0001f412", ("monkey", "ape")),
    "bear": ("\U0001f43b", ("bear", "teddy bear")),
    "panda": ("\U0001f43c", ("panda",)),
    "fox": ("\U0001f98a", ("fox",)),
    "airplane": ("\u2708", ("airplane", "aeroplane", "jet")),
    "helicopter": ("\U0001f681", ("helicopter",)),
    "train": ("\U0001f682", ("train", "locomotive")),
    "bicycle": ("\U0001f6b2", ("bicycle", "bike")),
    "motorcycle": ("\U0001f3cd", ("motorcycle", "motorbike")),
    "tractor": ("\U0001f69c", ("tractor",)),
    "ambulance": ("\U0001f691", ("ambulance",)),
    "ufo": ("\U0001f6f8", ("flying saucer", "UFO")),
    "pizza": ("\U0001f355", ("slice of pizza", "pizza")),
    "hamburger": ("\U0001f354", ("hamburger", "burger")),
    "apple": ("\U0001f34e", ("apple",)),
    "banana": ("\U0001f34c", ("banana",)),
    "cake": ("\U0001f382", ("birthday cake", "cake")),
    "palm": ("\U0001f334", ("palm tree",)),
    "cactus": ("\U0001f335", ("cactus",)),
    "mushroom": ("\U0001f344", ("mushroom", "toadstool")),
    "guitar": ("\U0001f3b8", ("guitar",)),
    "robot": ("\U0001f916", ("robot",)),
    "snowman": ("\u26c4", ("snowman",)),
    "football": ("\u26bd", ("soccer ball", "football")),
}
