"""The Wan autoencoder's forward pass, for training: all frames at once, as 2-D convolutions.

diffusers runs `AutoencoderKLWan` in groups of four frames with caches; that is right for long
clips and slow for training. Here every causal 3-D convolution is a sum of 2-D convolutions over
shifted frames, with frames folded into the batch. Taps that look back are used only at a quarter
of the resolution or less (`deep`); elsewhere they stay zero, so the two passes give the same
numbers (tests/unit/test_generation_engine_vae.py compares them).
"""

from __future__ import annotations

from typing import Any

from byline.audit.base import heavy


class FastPass:
    """Encode and decode for one `AutoencoderKLWan` in the standard form (no patch_size)."""

    def __init__(self, vae: Any) -> None:
        self.vae = vae
        self.f = heavy.load("torch.nn.functional")
        self.torch = heavy.load("torch")
        self.t = 1  # frames per clip at the current level

    def _shift(self, x: Any, by: int) -> Any:
        """Frames (B*T, C, h, w) moved `by` places later, zeros in front."""
        v = x.unflatten(0, (-1, self.t))
        v = self.f.pad(v[:, : self.t - by], (0, 0, 0, 0, 0, 0, by, 0))
        return v.flatten(0, 1)

    def conv(self, layer: Any, x: Any, deep: bool) -> Any:
        k = layer.weight.shape[2]
        pad = layer.weight.shape[3] // 2
        out = self.f.conv2d(x, layer.weight[:, :, k - 1], layer.bias, padding=pad)
        if deep and self.t > 1:
            for back in range(1, min(k, self.t)):
                out = out + self._shift(
                    self.f.conv2d(x, layer.weight[:, :, k - 1 - back], None, padding=pad), back
                )
        return out

    def norm(self, layer: Any, x: Any) -> Any:
        gamma = layer.gamma.view(1, -1, 1, 1) * layer.scale
        return x * self.torch.rsqrt(x.float().pow(2).sum(1, keepdim=True) + 1e-12).to(x.dtype) * gamma

    def residual(self, block: Any, x: Any, deep: bool) -> Any:
        h = self.conv(block.conv_shortcut, x, deep) if hasattr(block.conv_shortcut, "weight") else x
        x = self.conv(block.conv1, self.f.silu(self.norm(block.norm1, x)), deep)
        return self.conv(block.conv2, self.f.silu(self.norm(block.norm2, x)), deep) + h

    def attention(self, block: Any, x: Any) -> Any:
        n, c, h, w = x.shape
        qkv = block.to_qkv(self.norm(block.norm, x)).flatten(2).transpose(1, 2).unsqueeze(1)
        q, k, v = qkv.chunk(3, dim=-1)
        y = self.f.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2).reshape(n, c, h, w)
        return x + block.proj(y)

    def resample(self, block: Any, x: Any) -> Any:
        if block.mode == "upsample3d" and self.t > 1:
            v = x.unflatten(0, (-1, self.t))
            first, rest = v[:, :1], v[:, 1:]
            b, n, c, h, w = rest.shape
            w_t = block.time_conv.weight[..., 0]  # (2c, c, 3, 1)
            total = None
            for back in range(min(3, n)):
                y = self.f.conv2d(rest[:, : n - back].flatten(0, 1), w_t[:, :, 2 - back, :, None])
                y = self.f.pad(y.unflatten(0, (b, n - back)), (0, 0, 0, 0, 0, 0, back, 0))
                total = y if total is None else total + y
            total = total + block.time_conv.bias.view(1, 1, -1, 1, 1)
            both = total.unflatten(2, (2, c)).reshape(b, n * 2, c, h, w)
            self.t = 1 + 2 * n
            x = self.torch.cat([first, both], 1).flatten(0, 1)
        x = self.plain(block, x)
        if block.mode == "downsample3d" and self.t > 1:
            v = x.unflatten(0, (-1, self.t))
            n = (self.t - 1) // 2
            w_t = block.time_conv.weight[..., 0]
            total = block.time_conv.bias.view(1, -1, 1, 1)
            for tap in range(3):
                part = v[:, tap : tap + 2 * n : 2].flatten(0, 1)
                total = total + self.f.conv2d(part, w_t[:, :, tap, :, None])
            x = self.torch.cat([v[:, :1], total.unflatten(0, (-1, n))], 1).flatten(0, 1)
            self.t = 1 + n
        return x

    def plain(self, block: Any, x: Any) -> Any:
        if block.mode.startswith("up"):
            x = self.f.interpolate(x, scale_factor=2.0, mode="nearest")
            return self.f.conv2d(x, block.resample[1].weight, block.resample[1].bias, padding=1)
        x = self.f.pad(x, (0, 1, 0, 1))
        return self.f.conv2d(x, block.resample[1].weight, block.resample[1].bias, stride=2)

    def mid(self, block: Any, x: Any) -> Any:
        x = self.residual(block.resnets[0], x, True)
        return self.residual(block.resnets[1], self.attention(block.attentions[0], x), True)

    def encode(self, x: Any) -> Any:
        """Clips (B, 3, T, H, W) in -1..1 -> posterior mean and log variance, each (B, z, t, h, w)."""
        enc = self.vae.encoder
        b, self.t = x.shape[0], x.shape[2]
        height = x.shape[3]
        x = x.transpose(1, 2).flatten(0, 1).contiguous(memory_format=self.torch.channels_last)
        x = self.conv(enc.conv_in, x, False)
        for block in enc.down_blocks:
            x = (
                self.resample(block, x)
                if hasattr(block, "mode")
                else self.residual(block, x, x.shape[2] * 4 <= height)
            )
        x = self.mid(enc.mid_block, x)
        x = self.conv(enc.conv_out, self.f.silu(self.norm(enc.norm_out, x)), True)
        x = self.conv(self.vae.quant_conv, x, True)
        return x.unflatten(0, (b, self.t)).transpose(1, 2).chunk(2, dim=1)

    def decode(self, z: Any) -> Any:
        """Latents (B, z, t, h, w) -> clips (B, 3, 1 + 4 (t - 1), 8 h, 8 w), not clamped."""
        dec = self.vae.decoder
        b, self.t = z.shape[0], z.shape[2]
        height = z.shape[3] * 8
        x = z.transpose(1, 2).flatten(0, 1).contiguous(memory_format=self.torch.channels_last)
        x = self.conv(self.vae.post_quant_conv, x, True)
        x = self.conv(dec.conv_in, x, True)
        x = self.mid(dec.mid_block, x)
        for up in dec.up_blocks:
            for block in up.resnets:
                x = self.residual(block, x, x.shape[2] * 4 <= height)
            if up.upsamplers is not None:
                x = self.resample(up.upsamplers[0], x)
        x = self.conv(dec.conv_out, self.f.silu(self.norm(dec.norm_out, x)), False)
        return x.unflatten(0, (b, self.t)).transpose(1, 2)


def start_as_image_model(vae: Any) -> None:
    """Zero every tap that looks back, and make the temporal resamplers copy frames, so that the
    video model begins as the image model applied to single frames."""
    torch = heavy.load("torch")
    with torch.no_grad():
        for module in vae.modules():
            if type(module).__name__ == "WanCausalConv3d" and module.weight.shape[2] == 3:
                module.weight[:, :, :-1] = 0
        for module in vae.modules():
            conv = getattr(module, "time_conv", None)
            if conv is None:
                continue
            c = conv.weight.shape[1]
            conv.weight.zero_()
            conv.bias.zero_()
            eye = torch.eye(c)[:, :, None, None]
            for copy in range(conv.weight.shape[0] // c):
                conv.weight[copy * c : (copy + 1) * c, :, -1:] = eye[:, :, None, :, :].reshape(c, c, 1, 1, 1)
