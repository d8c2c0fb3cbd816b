//! Which vector instructions a kernel runs on.

use pulp::{Scalar256b, Simd, WithSimd};
use std::any::TypeId;

/// The lanes of the widest vectors: what is padded to a multiple of them is never cut short.
pub(super) const WIDEST: usize = 16;

/// An instruction set, proven present by holding it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    /// Sixteen lanes, 32 registers.
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    /// Eight lanes, 16 registers, fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    /// Four lanes, 32 registers, fused multiply-add.
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    /// Arrays of eight, which the compiler vectorises with what every machine has.
    Portable,
}

impl Level {
    /// Returns every level that this machine has, best first.
    pub(super) fn all() -> Vec<Self> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(pulp::x86::V4::try_new().map(Self::Avx512));
            levels.extend(pulp::x86::V3::try_new().map(Self::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        levels.extend(pulp::aarch64::Neon::try_new().map(Self::Neon));
        levels.push(Self::Portable);
        levels
    }

    /// Returns the best level that this machine has.
    pub(super) fn best() -> Self {
        static BEST: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::all()[0])
    }

    /// Runs `op`, compiled for this level.
    #[inline]
    pub(super) fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => Simd::vectorize(simd, op),
            Self::Portable => Scalar256b.vectorize(op),
        }
    }
}

/// Returns `a * b + c`, fused wherever the machine does that in one instruction.
#[inline(always)]
pub(super) fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if TypeId::of::<S>() == TypeId::of::<Scalar256b>() {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_f32s(a, b, c)
    }
}
