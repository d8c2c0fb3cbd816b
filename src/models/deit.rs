//! Data-efficient image transformers (Touvron et al. 2021): vision transformers that learned from ImageNet alone.
//!
//! Names and parameter names are timm's. The distilled ones have a token and a head more (`dist_token`, `head_dist`), and
//! give the mean of what their two heads say.

use super::vit::{VisionTransformer, imagenet};
use super::{Card, Table};

pub(super) static FAMILY: Table<VisionTransformer> = Table {
    name: "deit",
    summary: "data-efficient image transformers (Touvron et al. 2021), names of timm",
    task: "classification",
    card: Card::TIMM,
    variants: &[
        ("deit_tiny_patch16_224", imagenet(16, 192, 3, false)),
        ("deit_small_patch16_224", imagenet(16, 384, 6, false)),
        ("deit_base_patch16_224", imagenet(16, 768, 12, false)),
        (
            "deit_tiny_distilled_patch16_224",
            imagenet(16, 192, 3, true),
        ),
        (
            "deit_small_distilled_patch16_224",
            imagenet(16, 384, 6, true),
        ),
        (
            "deit_base_distilled_patch16_224",
            imagenet(16, 768, 12, true),
        ),
    ],
};
