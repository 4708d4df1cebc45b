"""Films: a storyboard made into one clip by the one pipeline, and the project object around it.

`rows` are the tables, `authoring` is what people do with a film, `scenes` what the stages read of it,
`shooting` makes its shots or takes up those that are kept (`kept`), `narration` speaks it.
"""
