"""The training pass of the autoencoder gives the numbers of diffusers' own pass."""

import pytest

from byline.audit.base import heavy
from byline.generation.starter import train_vae
from byline.generation.starter.fast_vae import FastPass

DEEP = ("mid_block", "decoder.conv_in", "encoder.conv_out", "up_blocks.0", "up_blocks.1.resnets")


@pytest.fixture(scope="module")
def disturbed():
    """An autoencoder whose used taps are all random: any difference in wiring shows."""
    torch = heavy.load("torch")
    vae = train_vae.build(3).eval()
    with torch.no_grad():
        for name, module in vae.named_modules():
            if "time_conv" in name or (hasattr(module, "_padding") and any(d in name for d in DEEP)):
                module.weight.add_(torch.randn_like(module.weight) * 0.05)
    return vae


@pytest.mark.parametrize("frames", [1, 5, 9])
def test_both_passes_agree(disturbed, frames: int) -> None:
    torch = heavy.load("torch")
    fast = FastPass(disturbed)
    x = torch.rand(2, 3, frames, 32, 48) * 2 - 1
    with torch.no_grad():
        mean = disturbed.encode(x).latent_dist.mean
        assert torch.allclose(fast.encode(x)[0], mean, atol=1e-4)
        shown = disturbed.decode(mean).sample
        assert torch.allclose(fast.decode(mean).clamp(-1, 1), shown, atol=1e-4)
    assert mean.shape == (2, 16, (frames - 1) // 4 + 1, 4, 6)


def test_a_new_video_model_is_the_image_model_frame_by_frame() -> None:
    torch = heavy.load("torch")
    fast = FastPass(train_vae.build(1).eval())
    still = (torch.rand(1, 3, 1, 32, 32) * 2 - 1).repeat(1, 1, 5, 1, 1)
    with torch.no_grad():
        latents = fast.encode(still)[0]
        decoded = fast.decode(latents)
    assert torch.allclose(latents[:, :, 0], latents[:, :, 1], atol=1e-5)
    assert torch.allclose(decoded, decoded[:, :, :1].expand_as(decoded), atol=1e-5)


def test_a_clips_latents_are_those_of_every_fourth_frame() -> None:
    """As long as the encoder is the image model's: what the transformer's training relies on."""
    torch = heavy.load("torch")
    vae = train_vae.build(2).eval()
    clip = torch.rand(2, 3, 9, 32, 32) * 2 - 1
    with torch.no_grad():
        whole = vae.encode(clip).latent_dist.mean
    assert torch.allclose(train_vae.encode_keys(FastPass(vae), clip[:, :, ::4]), whole, atol=1e-5)
