"""The transformer's training: what is noised, what counts in the loss, where the first heads look."""

import pytest

from byline.audit.base import heavy
from byline.generation.starter import text, train_dit


class Recorder:
    """Stands where the transformer does: answers zero and keeps what it was given."""

    def __call__(self, **given):
        self.given = given
        return (heavy.load("torch").zeros_like(given["hidden_states"]),)


@pytest.fixture
def batch():
    torch = heavy.load("torch")
    torch.manual_seed(0)
    x0 = torch.randn(3, 16, 5, 4, 6)
    return x0, torch.randn(3, text.MAX_TOKENS, 384), torch.ones(3, 1, 5, 4, 6)


def test_a_text_batch_has_one_time_per_clip(batch) -> None:
    model = Recorder()
    loss = train_dit.flow_loss(model, *batch, image=False)
    times = model.given["timestep"]
    assert times.shape == (3,)
    assert 0 < float(times.min()) <= float(times.max()) < 1000
    assert 1.0 < float(loss) < 4.0  # the answer zero misses noise - clip, of variance two


def test_an_image_batch_keeps_its_first_frame_and_does_not_count_it(batch) -> None:
    x0, words, weight = batch
    model = Recorder()
    train_dit.flow_loss(model, x0, words, weight, image=True)
    heavy.load("torch").testing.assert_close(model.given["hidden_states"][:, :, 0], x0[:, :, 0])
    times = model.given["timestep"]
    assert times.shape == (3, 5 * 2 * 3)
    assert float(times[:, :6].max()) == 0
    assert float(times[:, 6:].min()) > 0
    assert float(weight[:, :, 0].min()) == 1  # the caller's weights are not touched


def test_the_first_heads_look_up_down_left_and_right() -> None:
    torch = heavy.load("torch")
    model = train_dit.build(0)
    rope = model.rope(torch.zeros(1, 16, 1, 8, 14))
    attention = model.blocks[0].attn1
    heads, width = train_dit.CONFIG["num_attention_heads"], train_dit.CONFIG["attention_head_dim"]
    cos, sin = (part[0, :, 0] for part in rope)  # (tokens, width)

    def turned(bias):
        v = bias.view(heads, 1, width // 2, 2)
        a, b = v[..., 0], v[..., 1]
        c, s = cos[None, :, 0::2], sin[None, :, 1::2]
        return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)

    scores = turned(attention.to_q.bias) @ turned(attention.to_k.bias).transpose(-1, -2)  # (heads, from, to)
    middle = 2 * 7 + 3  # row 2, column 3 of the 4 x 7 patches
    looked = [divmod(int(scores[head, middle].argmax()), 7) for head in range(4)]
    assert looked == [(1, 3), (3, 3), (2, 1), (2, 5)]


def test_scale_and_step_are_shared_by_a_team_of_one() -> None:
    from pathlib import Path

    team = train_dit.Team(0, 1, Path())
    assert team.agree([], 0.5, True) == (0.5, True)
