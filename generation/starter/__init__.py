"""The starter model: a small Wan-architecture text-to-video model trained by us on drawn scenes.

`scenes` draws captioned clips, `train` trains the autoencoder and the transformer from them,
`probe` measures whether clips follow their prompt, `weights/` holds what ships.
"""
