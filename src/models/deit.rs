//! Data-efficient image transformers (Touvron et al. 2021): vision transformers that learned from ImageNet alone.
//!
//! Names and parameter names are timm's. The distilled ones have a token and a head more (`dist_token`, `head_dist`), and
//! give the mean of what their two heads say.

use super::vit::{VisionTransformer, imagenet};
use super::{Card, Table, Variant};

pub(super) static FAMILY: Table<VisionTransformer> = Table {
    name: "deit",
    summary: "data-efficient image transformers (Touvron et al. 2021), names of timm",
    task: "classification",
    variants: &[
        Variant::new(
            "deit_tiny_patch16_224",
            imagenet(16, 192, 3, false),
            Card::timm("deit_tiny_patch16_224.fb_in1k").sized(248, 224),
        ),
        Variant::new(
            "deit_small_patch16_224",
            imagenet(16, 384, 6, false),
            Card::timm("deit_small_patch16_224.fb_in1k").sized(248, 224),
        ),
        Variant::new(
            "deit_base_patch16_224",
            imagenet(16, 768, 12, false),
            Card::timm("deit_base_patch16_224.fb_in1k").sized(248, 224),
        ),
        Variant::new(
            "deit_tiny_distilled_patch16_224",
            imagenet(16, 192, 3, true),
            Card::timm("deit_tiny_distilled_patch16_224.fb_in1k").sized(248, 224),
        ),
        Variant::new(
            "deit_small_distilled_patch16_224",
            imagenet(16, 384, 6, true),
            Card::timm("deit_small_distilled_patch16_224.fb_in1k").sized(248, 224),
        ),
        Variant::new(
            "deit_base_distilled_patch16_224",
            imagenet(16, 768, 12, true),
            Card::timm("deit_base_distilled_patch16_224.fb_in1k").sized(248, 224),
        ),
    ],
};
