//! Vector quantisation (van den Oord et al. 2017, eq. 1 and 2).

use super::{PatchTokens, TokensToImage};
use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, ParamDecl, Role, Shape};
use crate::kernels;
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Each pixel of `[n, dim, h, w]` becomes the nearest code of a book, `embedding.weight` `[codes, dim]`, in the same shape.
///
/// As diffusers' `VectorQuantizer`, which gives `x + (code - x)` for the sake of gradients, rounded as that is. It finds the nearest by
/// `|x|^2 + |code|^2 - 2 x code`, whose rounding depends on the matrix product; here differences are squared, and of codes at the same
/// distance the first is taken. So outputs are equal to the bit, but for pixels whose distances to two codes differ by less than that rounding.
///
/// Gradients go straight through: the input's is that of the output. That of a code is the sum over the pixels that became it, as if
/// those could not change.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantize {
    /// How many codes the book has.
    pub codes: usize,
    /// The number of channels.
    pub dim: usize,
}

impl Operator for Quantize {
    fn params(&self) -> Vec<ParamDecl> {
        let book = ParamDecl::new("embedding.weight", [self.codes, self.dim], Role::Affine);
        vec![book]
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        expect_size("channels", self.dim, channels)?;
        expect_size("channels", self.dim.max(1), self.dim)?;
        expect_size("codes", self.codes.max(1), self.codes)?;
        Ok(inputs[0].clone())
    }

    fn macs(&self, _inputs: &[&Shape], output: &Shape) -> u64 {
        self.codes as u64 * output.numel() as u64
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        let (n, dim, height, width) = inputs[0].dims4()?;
        let pixels = PatchTokens {}.run(inputs, &[])?;
        let given = pixels.detach().reshape((n * height * width, dim))?;
        let found = kernels::nearest(&given, &params[0].detach())?;
        let change = (params[0].index_select(&found, 0)? - given)?;
        let pixels = (&pixels + change.reshape((n, height * width, dim))?)?;
        TokensToImage { height, width }.run(&[&pixels], &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Call;
    use crate::graph::ops::testing::{flat, noise};
    use crate::kernels::Wanted;
    use candle_core::{DType, Device};

    const OP: Quantize = Quantize { codes: 3, dim: 2 };

    /// An image of three pixels, and a book whose codes are nearest to none of them, to the second, and to the others.
    fn example() -> (Tensor, Tensor) {
        let image = Tensor::new(&[[[[0.5f32, -1.0, 0.25]], [[0.5, 2.0, 0.0]]]], &Device::Cpu);
        let book = Tensor::new(&[[9f32, 9.0], [-1.0, 1.0], [0.0, 0.5]], &Device::Cpu);
        (image.unwrap(), book.unwrap())
    }

    #[test]
    fn pixels_become_codes() {
        let (image, book) = example();
        let found = OP.run(&[&image], &[&book]).unwrap();
        assert_eq!(found.dims(), [1, 2, 1, 3]);
        assert_eq!(flat(&found), [0.0, -1.0, 0.0, 0.5, 1.0, 0.5]);
        let [image, wide, tokens] = [&[2, 1, 3][..], &[3, 1, 3], &[3, 2]].map(Shape::from);
        assert_eq!(OP.shape(&[&image]).unwrap(), image);
        assert_eq!(OP.macs(&[&image], &image), 3 * 2 * 3);
        assert!(OP.shape(&[&wide]).is_err());
        assert!(OP.shape(&[&tokens]).is_err());
        assert!(Quantize { codes: 0, ..OP }.shape(&[&image]).is_err());
        assert!(Quantize { dim: 0, ..OP }.shape(&[&image]).is_err());
    }

    #[test]
    fn other_types_become_the_same_codes() {
        let (image, book) = (noise(1, &[2, 2, 5, 4]), noise(2, &[3, 2]));
        let found = OP.run(&[&image], &[&book]).unwrap();
        let [image, book] = [image, book].map(|t| t.to_dtype(DType::F64).unwrap());
        let wide = OP.run(&[&image], &[&book]).unwrap();
        for (found, expected) in flat(&found).iter().zip(flat(&wide)) {
            assert!((found - expected).abs() < 1e-6, "{found} not {expected}");
        }
    }

    #[test]
    fn gradients_go_straight_through() {
        let (image, book) = example();
        let gradient = noise(3, &[1, 2, 1, 3]);
        let call = Call {
            inputs: &[(&image, true)],
            params: &[(&book, Wanted::All)],
        };
        let found = OP.gradients(&call, &gradient).unwrap();
        let [of_image, of_book] = [&found.inputs[0], &found.params[0]].map(|t| t.as_ref().unwrap());
        let g = flat(&gradient);
        assert_eq!(flat(of_image), g);
        let expected = [0.0, 0.0, g[1], g[4], g[0] + g[2], g[3] + g[5]];
        assert_eq!(flat(of_book), expected);
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let (image, book) = example();
        let lost = (&image * f64::NAN).unwrap();
        let found = OP.run(&[&lost], &[&book]).unwrap();
        assert!(flat(&found).iter().all(|v| v.is_nan()));
    }
}
