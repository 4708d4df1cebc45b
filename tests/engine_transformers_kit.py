"""Tiny checkpoints of the video transformers: each function saves one into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_parts_kit import SIDE, WORDS, clip, of, save_pipeline, scheduler, t5, tokenizer, vision

from byline.audit.base import heavy


def _wan_vae() -> Any:
    return of(
        "AutoencoderKLWan",
        base_dim=4,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )


def wan_transformer(kind: str = "WanTransformer3DModel", **more: Any) -> Any:
    config = {
        "patch_size": (1, 2, 2),
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "in_channels": 16,
        "out_channels": 16,
        "text_dim": 16,
        "freq_dim": 16,
        "ffn_dim": 16,
        "num_layers": 2,
        "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads",
        "rope_max_seq_len": 64,
    }
    return of(kind, **(config | more))


def _wan_parts(**more: Any) -> dict[str, Any]:
    return {
        "tokenizer": tokenizer(),
        "text_encoder": t5(kind="UMT5"),
        "vae": _wan_vae(),
        "transformer": wan_transformer(),
        "scheduler": scheduler(shift=3.0),
    } | more


def wan(folder: Path) -> None:
    flow = scheduler("UniPCMultistepScheduler", prediction_type="flow_prediction", use_flow_sigmas=True)
    save_pipeline("WanPipeline", folder, **_wan_parts(scheduler=flow))


def wan22(folder: Path) -> None:
    save_pipeline("WanPipeline", folder, **_wan_parts(transformer_2=wan_transformer()), boundary_ratio=0.9)


def wan_i2v(folder: Path, **more: Any) -> None:
    encoder, processor = vision(4, 4)
    transformer = wan_transformer(in_channels=36, image_dim=4, **more)
    save_pipeline(
        "WanImageToVideoPipeline",
        folder,
        **_wan_parts(transformer=transformer, image_encoder=encoder, image_processor=processor),
    )


def wan_flf(folder: Path) -> None:
    """First and last frame: the pictures' tokens have positions, 2 x (4 patches + 1)."""
    wan_i2v(folder, pos_embed_seq_len=10)


def vace(folder: Path) -> None:
    transformer = wan_transformer("WanVACETransformer3DModel", vace_layers=[0, 1], vace_in_channels=96)
    save_pipeline("WanVACEPipeline", folder, **_wan_parts(transformer=transformer))


def animate(folder: Path) -> None:
    encoder, processor = vision(4, 4)
    transformer = wan_transformer(
        "WanAnimateTransformer3DModel",
        in_channels=36,
        latent_channels=16,
        image_dim=4,
        motion_encoder_channel_sizes={"4": 16, "8": 16, "16": 16},
        motion_encoder_size=16,
        motion_style_dim=8,
        motion_dim=4,
        motion_encoder_dim=16,
        face_encoder_hidden_dim=16,
        face_encoder_num_heads=2,
        inject_face_latents_blocks=2,
    )
    save_pipeline(
        "WanAnimatePipeline",
        folder,
        **_wan_parts(transformer=transformer, image_encoder=encoder, image_processor=processor),
    )


def ltx(folder: Path) -> None:
    vae = of(
        "AutoencoderKLLTXVideo",
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False, False, False, False, False),
        upsample_residual=(False, False, False, False),
        upsample_factor=(1, 1, 1, 1),
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    transformer = of(
        "LTXVideoTransformer3DModel",
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=16,
    )
    save_pipeline(
        "LTXPipeline",
        folder,
        vae=vae,
        transformer=transformer,
        scheduler=scheduler(),
        text_encoder=t5(),
        tokenizer=tokenizer(),
    )


def ltx2(folder: Path) -> None:
    transformers, ltx2 = heavy.load("transformers"), heavy.load("diffusers.pipelines.ltx2")
    text = {
        "vocab_size": len(WORDS) + 4,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
    sight = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 8,
        "patch_size": 4,
    }
    encoder = transformers.Gemma3ForConditionalGeneration(
        transformers.Gemma3Config(text_config=text, vision_config=sight, mm_tokens_per_image=4)
    ).eval()
    transformer = of(
        "LTX2VideoTransformer3DModel",
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=4,
        audio_out_channels=4,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=1,
        caption_channels=16,
        rope_double_precision=False,
        rope_type="split",
    )
    connectors = ltx2.LTX2TextConnectors(
        caption_channels=16,
        text_proj_in_factor=3,
        video_connector_num_attention_heads=2,
        video_connector_attention_head_dim=8,
        video_connector_num_layers=1,
        video_connector_num_learnable_registers=None,
        audio_connector_num_attention_heads=2,
        audio_connector_attention_head_dim=8,
        audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=None,
        connector_rope_base_seq_len=32,
        rope_theta=10000.0,
        rope_double_precision=False,
        causal_temporal_positioning=False,
        rope_type="split",
    )
    vae = of(
        "AutoencoderKLLTX2Video",
        latent_channels=4,
        block_out_channels=(8,),
        decoder_block_out_channels=(8,),
        layers_per_block=(1,),
        decoder_layers_per_block=(1, 1),
        spatio_temporal_scaling=(True,),
        decoder_spatio_temporal_scaling=(True,),
        decoder_inject_noise=(False, False),
        downsample_type=("spatial",),
        upsample_residual=(False,),
        upsample_factor=(1,),
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    audio_vae = of(
        "AutoencoderKLLTX2Audio",
        base_channels=4,
        output_channels=2,
        ch_mult=(1,),
        num_res_blocks=1,
        attn_resolutions=None,
        in_channels=2,
        resolution=32,
        latent_channels=2,
        norm_type="pixel",
        causality_axis="height",
        dropout=0.0,
        mid_block_add_attention=False,
        sample_rate=16000,
        mel_hop_length=160,
        is_causal=True,
        mel_bins=8,
    )
    vocoder = ltx2.vocoder.LTX2Vocoder(
        in_channels=16,
        hidden_channels=8,
        out_channels=2,
        upsample_kernel_sizes=[4, 4],
        upsample_factors=[2, 2],
        resnet_kernel_sizes=[3],
        resnet_dilations=[[1, 3, 5]],
        leaky_relu_negative_slope=0.1,
        output_sampling_rate=16000,
    )
    save_pipeline(
        "LTX2Pipeline",
        folder,
        vae=vae,
        audio_vae=audio_vae,
        text_encoder=encoder,
        tokenizer=tokenizer(),
        connectors=connectors.eval(),
        transformer=transformer,
        vocoder=vocoder.eval(),
        scheduler=scheduler(),
    )


def _cogvideox_parts(channels: int, **more: Any) -> dict[str, Any]:
    vae = of(
        "AutoencoderKLCogVideoX",
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    transformer = of(
        "CogVideoXTransformer3DModel",
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=channels,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=16,
        num_layers=1,
        sample_width=SIDE // 8,
        sample_height=SIDE // 8,
        sample_frames=9,
        patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=16,
        **more,
    )
    return {
        "vae": vae,
        "transformer": transformer,
        "scheduler": scheduler("CogVideoXDDIMScheduler"),
        "text_encoder": t5(),
        "tokenizer": tokenizer(),
    }


def cogvideox(folder: Path) -> None:
    save_pipeline("CogVideoXPipeline", folder, **_cogvideox_parts(4))


def cogvideox_i2v(folder: Path) -> None:
    parts = _cogvideox_parts(8, use_rotary_positional_embeddings=True, use_learned_positional_embeddings=True)
    save_pipeline("CogVideoXImageToVideoPipeline", folder, **parts)


def hunyuan(folder: Path) -> None:
    transformers = heavy.load("transformers")
    llama = transformers.LlamaModel(
        transformers.LlamaConfig(
            hidden_size=16,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=2,
            vocab_size=len(WORDS),
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=1,
        )
    ).eval()
    transformer = of(
        "HunyuanVideoTransformer3DModel",
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=10,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        patch_size=1,
        patch_size_t=1,
        guidance_embeds=True,
        text_embed_dim=16,
        pooled_projection_dim=8,
        rope_axes_dim=(2, 4, 4),
    )
    vae = of(
        "AutoencoderKLHunyuanVideo",
        latent_channels=4,
        down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        spatial_compression_ratio=8,
        temporal_compression_ratio=4,
    )
    save_pipeline(
        "HunyuanVideoPipeline",
        folder,
        text_encoder=llama,
        tokenizer=tokenizer(),
        transformer=transformer,
        vae=vae,
        scheduler=scheduler(shift=7.0),
        text_encoder_2=clip(8),
        tokenizer_2=tokenizer(),
    )


def hunyuan15(folder: Path) -> None:
    transformers, diffusers = heavy.load("transformers"), heavy.load("diffusers")
    qwen = transformers.Qwen2_5_VLTextModel(
        transformers.Qwen2_5_VLTextConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            num_key_value_heads=2,
            rope_scaling={"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        )
    ).eval()
    transformer = of(
        "HunyuanVideo15Transformer3DModel",
        in_channels=9,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        num_refiner_layers=1,
        mlp_ratio=2.0,
        patch_size=1,
        patch_size_t=1,
        text_embed_dim=16,
        text_embed_2_dim=16,
        image_embed_dim=12,
        rope_axes_dim=(2, 2, 4),
        target_size=SIDE,
        task_type="t2v",
    )
    vae = of(
        "AutoencoderKLHunyuanVideo15",
        latent_channels=4,
        block_out_channels=(16, 16),
        layers_per_block=1,
        spatial_compression_ratio=4,
        temporal_compression_ratio=2,
        downsample_match_channel=False,
        upsample_match_channel=False,
    )
    save_pipeline(
        "HunyuanVideo15Pipeline",
        folder,
        text_encoder=qwen,
        tokenizer=tokenizer(),
        transformer=transformer,
        vae=vae,
        scheduler=scheduler(shift=7.0),
        text_encoder_2=t5(vocabulary=400),
        tokenizer_2=transformers.ByT5Tokenizer(),
        guider=heavy.load("diffusers.guiders").ClassifierFreeGuidance(guidance_scale=6.0),
    )
    assert diffusers  # loaded first, so that its patches of torchvision are in place


def mochi(folder: Path) -> None:
    transformer = of(
        "MochiTransformer3DModel",
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        pooled_projection_dim=16,
        in_channels=12,
        qk_norm="rms_norm",
        text_embed_dim=16,
        time_embed_dim=4,
        max_sequence_length=16,
    )
    heavy.load("torch").nn.init.zeros_(transformer.pos_frequencies)
    vae = of(
        "AutoencoderKLMochi",
        latent_channels=12,
        encoder_block_out_channels=(32, 32, 32, 32),
        decoder_block_out_channels=(32, 32, 32, 32),
        layers_per_block=(1, 1, 1, 1, 1),
    )
    save_pipeline(
        "MochiPipeline",
        folder,
        transformer=transformer,
        vae=vae,
        scheduler=scheduler(),
        text_encoder=t5(),
        tokenizer=tokenizer(),
    )
