"""The twelve categories of moderation, one line each. Policies, rules and heads use these names."""

CATEGORIES: dict[str, str] = {
    "sexual": "Sexual content between or of adults",
    "minors": "Sexual or sexualised content with anyone who is or may be under age",
    "hate": "Hatred against people for what they are",
    "harassment": "Threatening, humiliating or exposing a person",
    "violence": "Graphic violence, threats, incitement, glorified attacks",
    "self_harm": "Suicide, self-injury, eating disorders",
    "weapons_illegal": "Weapons, drugs and crime: instructions and trade",
    "deception": "Fabricated news, election and health lies, impersonation, fraud",
    "real_person": "Depicts a real, named person",
    "intimate_imagery": "Intimate imagery of an identifiable person or without consent",
    "copyright_brand": "Protected characters, works, brands",
    "pii": "Personal data written out",
}

# Reasons that are not about what the text says but about whether it could be read.
UNSUPPORTED_LANGUAGE = "unsupported_language"
TOO_LONG = "too_long"
REASONS: dict[str, str] = {
    UNSUPPORTED_LANGUAGE: "Not in a language that the configured moderation reads",
    TOO_LONG: "Longer than the moderation reads",
}
