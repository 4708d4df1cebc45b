"""Tiny checkpoints of the U-Nets, of the Open-Sora class and of stills: each function saves one."""

from __future__ import annotations

from pathlib import Path

from engine_parts_kit import SIDE, clip, image_vae, of, save_pipeline, scheduler, t5, tokenizer, vision


def svd(folder: Path) -> None:
    encoder, extractor = vision(16, 224, projected=True)  # the pipeline resizes to 224
    unet = of(
        "UNetSpatioTemporalConditionModel",
        block_out_channels=(32, 32),
        layers_per_block=1,
        sample_size=SIDE,
        in_channels=8,
        out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=16,
        num_attention_heads=2,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
    )
    vae = of(
        "AutoencoderKLTemporalDecoder",
        block_out_channels=[32, 32],
        down_block_types=["DownEncoderBlock2D", "DownEncoderBlock2D"],
        latent_channels=4,
    )
    euler = scheduler(
        "EulerDiscreteScheduler",
        prediction_type="v_prediction",
        timestep_type="continuous",
        use_karras_sigmas=True,
        sigma_max=700.0,
        sigma_min=0.002,
    )
    save_pipeline(
        "StableVideoDiffusionPipeline",
        folder,
        unet=unet,
        vae=vae,
        image_encoder=encoder,
        feature_extractor=extractor,
        scheduler=euler,
    )


def animatediff(folder: Path) -> None:
    """As in life: Stable Diffusion in one repository, the motion module in another."""
    unet = of(
        "UNet2DConditionModel",
        block_out_channels=(8, 8),
        layers_per_block=1,
        sample_size=SIDE,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=2,
    )
    save_pipeline(
        "StableDiffusionPipeline",
        folder,
        unet=unet,
        vae=image_vae(),
        text_encoder=clip(),
        tokenizer=tokenizer(),
        scheduler=scheduler("PNDMScheduler", skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    of(
        "MotionAdapter",
        block_out_channels=(8, 8),
        motion_layers_per_block=1,
        motion_norm_num_groups=2,
        motion_num_attention_heads=2,
    ).save_pretrained(folder / "motion_adapter")


def modelscope(folder: Path) -> None:
    unet = of(
        "UNet3DConditionModel",
        block_out_channels=(8, 8),
        layers_per_block=1,
        sample_size=SIDE,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=2,
    )
    save_pipeline(
        "TextToVideoSDPipeline",
        folder,
        unet=unet,
        vae=image_vae(),
        text_encoder=clip(),
        tokenizer=tokenizer(),
        scheduler=scheduler("DDIMScheduler", clip_sample=False),
    )


def latte(folder: Path) -> None:
    transformer = of(
        "LatteTransformer3DModel",
        sample_size=SIDE // 2,
        video_length=3,
        num_layers=1,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        caption_channels=16,
        in_channels=4,
        cross_attention_dim=24,
        out_channels=8,
        attention_bias=True,
        activation_fn="gelu-approximate",
        num_embeds_ada_norm=1000,
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        norm_eps=1e-6,
    )
    save_pipeline(
        "LattePipeline",
        folder,
        transformer=transformer,
        vae=image_vae(),
        scheduler=scheduler("DDIMScheduler"),
        text_encoder=t5(),
        tokenizer=tokenizer(120),
    )


def allegro(folder: Path) -> None:
    transformer = of(
        "AllegroTransformer3DModel",
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        cross_attention_dim=24,
        sample_width=8,
        sample_height=8,
        sample_frames=8,
        caption_channels=24,
    )
    vae = of(
        "AutoencoderKLAllegro",
        down_block_types=("AllegroDownBlock3D",) * 4,
        up_block_types=("AllegroUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
        sample_size=128,
    )
    save_pipeline(
        "AllegroPipeline",
        folder,
        transformer=transformer,
        vae=vae,
        scheduler=scheduler("DDIMScheduler"),
        text_encoder=t5(24),
        tokenizer=tokenizer(),
    )


def sd3(folder: Path) -> None:
    transformer = of(
        "SD3Transformer2DModel",
        sample_size=SIDE,
        patch_size=1,
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_projection_dim=16,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        out_channels=16,
    )
    save_pipeline(
        "StableDiffusion3Pipeline",
        folder,
        transformer=transformer,
        vae=image_vae(16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        scheduler=scheduler(),
        text_encoder=clip(projected=True),
        tokenizer=tokenizer(),
        text_encoder_2=clip(projected=True),
        tokenizer_2=tokenizer(),
        text_encoder_3=t5(32),
        tokenizer_3=tokenizer(),
    )


def flux(folder: Path) -> None:
    transformer = of(
        "FluxTransformer2DModel",
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=16,
        axes_dims_rope=[4, 4, 8],
    )
    save_pipeline(
        "FluxPipeline",
        folder,
        transformer=transformer,
        vae=image_vae(1, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        scheduler=scheduler(),
        text_encoder=clip(),
        tokenizer=tokenizer(),
        text_encoder_2=t5(),
        tokenizer_2=tokenizer(),
    )
