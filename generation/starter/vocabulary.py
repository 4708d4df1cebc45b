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
}
OBJECT_MOTIONS: dict[str, tuple[str, ...]] = {
    "right": ("moves right", "moves to the right", "slides to the right", "travels from left to right"),
    "left": ("moves left", "moves to the left", "slides to the left", "travels from right to left"),
    "rise": ("rises", "goes up", "floats up", "flies upward"),
    "fall": ("falls", "drops down", "goes down", "sinks"),
    "bounce": ("bounces", "is bouncing", "jumps up and down", "hops"),
    "spin": ("spins", "rotates", "turns around"),
    "grow": ("grows", "gets bigger", "comes closer"),
    "shrink": ("shrinks", "gets smaller", "goes away"),
    "still": ("stays still", "rests", "stands still"),
}
PERSON_MOTIONS: dict[str, tuple[str, ...]] = {
    "right": ("walks right", "walks to the right", "walks from left to right"),
    "left": ("walks left", "walks to the left", "walks from right to left"),
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
    "child": ("young", "little"),
    "adult": ("", "", "middle-aged", "adult"),
    "older": ("older", "elderly", "old", "senior"),
}
SKINS: dict[str, tuple[tuple[int, int, int], tuple[str, ...]]] = {
    "light": ((246, 206, 176), ("light-skinned", "white", "fair-skinned", "European", "East Asian")),
    "medium": ((196, 134, 84), ("brown-skinned", "olive-skinned", "South Asian", "Latino", "Middle Eastern")),
    "dark": ((104, 62, 38), ("dark-skinned", "Black", "African", "dark-skinned")),
}
