//! What can be computed: a closed enum that only delegates to the structs in [`super::ops`].

use super::ops::{
    Activation, AdaptiveAvgPool2d, Add, Attention, Average, AvgPool2d, BatchNorm2d, ChannelNorm,
    ChannelShuffle, ChannelSlice, ClassToken, Concat, Conv2d, Flatten, Focus, FromWindows,
    GlobalAvgPool, GroupNorm, LayerNorm, LayerNorm2d, LayerScale, Linear, MaxPool2d,
    OptionAShortcut, PatchMerging, PatchTokens, PoolMixer, PositionEmbedding, Predictions,
    Quantize, Relocate, Scale, Shift, Squeeze, TakeToken, Timesteps, ToWindows, TokenMean,
    TokensToImage, TransposeTokens, Upsample, WindowAttention, ZeroPad2d,
};
use super::{Call, Gradients, Role, Shape};
use crate::kernels::Clamp;
use candle_core::{Result, Tensor};
use serde::Serialize;
use std::ops::Deref;

/// A parameter that an operator takes, before it has a place in a graph.
#[derive(Debug, Clone)]
pub struct ParamDecl {
    /// What follows the module's name in the checkpoint (`weight`), or nothing where the parameter has the module's name (`cls_token`).
    pub suffix: &'static str,
    /// The shape.
    pub shape: Vec<usize>,
    /// What it is to the operator.
    pub role: Role,
}

impl ParamDecl {
    /// Declares a parameter.
    pub fn new(suffix: &'static str, shape: impl Into<Vec<usize>>, role: Role) -> Self {
        Self {
            suffix,
            shape: shape.into(),
            role,
        }
    }
}

/// Inputs that an operator cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// The wrong number of dimensions.
    #[error("expected an input of rank {expected}, found {found}")]
    Rank {
        /// The rank that is needed.
        expected: usize,
        /// What came.
        found: Shape,
    },
    /// The wrong size of a dimension.
    #[error("expected {what} of {expected}, found {found}")]
    Size {
        /// What is measured, for example `channels`.
        what: &'static str,
        /// The size that is needed.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// The wrong number of inputs.
    #[error("expected {expected} inputs, found {found}")]
    Arity {
        /// The number that is needed.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// Inputs that do not go together.
    #[error("inputs {0} and {1} should have the same shape")]
    Differ(Shape, Shape),
    /// A kernel that does not fit its input.
    #[error("a window of {window} does not fit an input of {size}")]
    Window {
        /// The extent of the window.
        window: usize,
        /// The extent of the padded input.
        size: usize,
    },
}

/// What an operator is to the block around it: the words in which papers describe their blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motif {
    /// An elementwise nonlinearity, which belongs to what stands before it.
    Activation,
    /// A normalisation, which belongs to what stands before it.
    Norm,
    /// A convolution of each channel for itself.
    Depthwise,
    /// A convolution of single pixels, which mixes channels.
    Pointwise,
    /// What multiplies a value by a gate that was made of it.
    Gate,
    /// What shifts its first input by the second, which was made of something else that is known (the time step of a diffusion).
    Condition,
    /// What puts channels of several branches side by side.
    Concat,
    /// What gathers the outputs of a network's heads.
    Collect,
    /// Anything else.
    Other,
}

/// What an operator answers about itself. Everything but its kind, shape and run has a default.
pub trait Operator {
    /// Declares the parameters it takes, in the order in which [`Operator::run`] gets them.
    fn params(&self) -> Vec<ParamDecl> {
        Vec::new()
    }

    /// Returns the shape of its output for one sample.
    ///
    /// # Errors
    /// [`OpError`] for inputs that it cannot take.
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError>;

    /// Returns the multiply-accumulates for one sample; elementwise work counts as none.
    fn macs(&self, _inputs: &[&Shape], _output: &Shape) -> u64 {
        0
    }

    /// Computes the output of a batch.
    ///
    /// # Errors
    /// What candle says.
    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor>;

    /// Computes the output of a batch and clamps it, in one go where that is faster.
    ///
    /// # Errors
    /// What candle says.
    fn run_clamped(&self, inputs: &[&Tensor], params: &[&Tensor], clamp: Clamp) -> Result<Tensor> {
        super::ops::clamped(&self.run(inputs, params)?, clamp)
    }

    /// Returns the gradients of its inputs and parameters for the gradient of its output before any clamp: candle's, unless it knows better.
    ///
    /// # Errors
    /// What candle says.
    fn gradients(&self, call: &Call<'_>, gradient: &Tensor) -> Result<Gradients> {
        call.by_candle(self, gradient)
    }

    /// Returns itself as a clamp, which the operator before it can apply to its own output.
    fn as_clamp(&self) -> Option<Clamp> {
        None
    }

    /// Whether its weight counts towards sparsity.
    fn prunable(&self) -> bool {
        false
    }

    /// Returns what it is to the block around it.
    fn motif(&self) -> Motif {
        Motif::Other
    }

    /// Returns itself with a bias, if a following per-channel affine map can be folded into it.
    fn with_bias(&self) -> Option<Op> {
        None
    }

    /// Returns itself as a per-channel affine map, if that is all it computes.
    fn as_affine(&self) -> Option<&dyn super::ops::ChannelAffine> {
        None
    }

    /// Returns how its inputs are laid out as the rows of a matrix that its weight multiplies, for layers linear in their weight.
    fn as_matmul(&self) -> Option<&dyn super::ops::MatMul> {
        None
    }
}

macro_rules! operators {
    ($($kind:ident),* $(,)?) => {
        /// Any operator. Serialises with its kind and attributes.
        #[derive(Debug, Clone, Serialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Op {
            $(
                #[doc = concat!("See [`", stringify!($kind), "`].")]
                $kind($kind),
            )*
        }

        impl Deref for Op {
            type Target = dyn Operator;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$kind(op) => op,)*
                }
            }
        }

        $(
            impl From<$kind> for Op {
                fn from(op: $kind) -> Self {
                    Self::$kind(op)
                }
            }
        )*
    };
}

operators!(
    Activation,
    AdaptiveAvgPool2d,
    Add,
    Attention,
    Average,
    AvgPool2d,
    BatchNorm2d,
    ChannelNorm,
    ChannelShuffle,
    ChannelSlice,
    ClassToken,
    Concat,
    Conv2d,
    FromWindows,
    Flatten,
    Focus,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    LayerNorm2d,
    LayerScale,
    Linear,
    MaxPool2d,
    OptionAShortcut,
    PatchMerging,
    PatchTokens,
    PoolMixer,
    PositionEmbedding,
    Relocate,
    Predictions,
    Quantize,
    Scale,
    Shift,
    Squeeze,
    TakeToken,
    Timesteps,
    ZeroPad2d,
    ToWindows,
    TokenMean,
    TokensToImage,
    TransposeTokens,
    Upsample,
    WindowAttention,
);

impl Op {
    /// Returns its kind, as in the serialised form.
    pub fn kind(&self) -> String {
        self.attributes()
            .remove("kind")
            .and_then(|kind| kind.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Returns its kind and attributes.
    pub fn attributes(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map,
            _ => serde_json::Map::new(),
        }
    }
}

/// Returns the only input.
///
/// # Errors
/// [`OpError::Arity`] where there is not exactly one.
pub(super) fn only<'a, T: ?Sized>(inputs: &[&'a T]) -> std::result::Result<&'a T, OpError> {
    match inputs {
        [one] => Ok(one),
        many => Err(OpError::Arity {
            expected: 1,
            found: many.len(),
        }),
    }
}

/// Checks a size.
///
/// # Errors
/// [`OpError::Size`] where it differs.
pub(super) fn expect_size(
    what: &'static str,
    expected: usize,
    found: usize,
) -> std::result::Result<(), OpError> {
    if expected == found {
        Ok(())
    } else {
        Err(OpError::Size {
            what,
            expected,
            found,
        })
    }
}
