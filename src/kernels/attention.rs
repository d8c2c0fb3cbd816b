//! Scaled dot-product self-attention (Vaswani et al. 2017, eq. 1) with its gradient.
//!
//! Products read queries, keys and values where they lie. The gradient computes the probabilities again, for to keep
//! them would take `heads * t` numbers a token.

use super::Clamp;
use super::matrix::terms;
use super::product::{Product, Start, Term};
use super::scratch::{filled, with_scratch};
use super::simd::Level;
use super::softmax::{softmax, softmax_gradient};
use super::storage::{numbers, result, tensor, with_numbers};
use super::transpose::transpose;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Takes queries, keys and values side by side `[n, t, 3d]`, and returns `softmax(q k^T / sqrt(d / heads)) v` of each head,
/// side by side `[n, t, d]`.
///
/// # Errors
/// A shape that does not fall into three times as many parts as there are heads.
pub fn attention(qkv: &Tensor, heads: usize) -> Result<Tensor> {
    qkv.contiguous()?.apply_op1(Attention { heads })
}

struct Attention {
    heads: usize,
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let heads = Heads::new(layout.dims(), self.heads)?;
        let output = heads.forward(numbers((qkv, layout))?)?;
        result(output, &[layout.dims()[0], heads.tokens, heads.width])
    }

    fn bwd(&self, qkv: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let heads = Heads::new(qkv.dims(), self.heads)?;
        let operands = [qkv, &gradient.contiguous()?];
        tensor(with_numbers(operands, |o| heads.backward(o))?, qkv.dims()).map(Some)
    }
}

/// Where the factors of the sums lie that make up one matrix, and its columns.
struct Sums {
    terms: Vec<Term>,
    columns: usize,
}

/// How the heads of a sample lie.
struct Heads {
    level: Level,
    tokens: usize,
    /// The features of all heads.
    width: usize,
    /// The features of one.
    head: usize,
    /// The distance between the tokens of queries, keys or values.
    packed: usize,
}

impl Heads {
    fn new(dims: &[usize], heads: usize) -> Result<Self> {
        match *dims {
            [_, tokens, packed] if heads > 0 && packed > 0 && packed % (3 * heads) == 0 => {
                Ok(Self {
                    level: Level::best(),
                    tokens,
                    width: packed / 3,
                    head: packed / 3 / heads,
                    packed,
                })
            }
            _ => bail!("queries, keys and values {dims:?} do not fall into {heads} heads"),
        }
    }

    /// Returns sums over the features of one head, the right side turned over.
    fn over_features(&self) -> Result<Sums> {
        Ok(Sums {
            terms: terms(self.head, 1, self.tokens)?,
            columns: self.tokens,
        })
    }

    /// Returns sums over tokens, which lie `a` and `b` elements apart.
    fn over_tokens(&self, a: usize, b: usize) -> Result<Sums> {
        Ok(Sums {
            terms: terms(self.tokens, a, b)?,
            columns: self.head,
        })
    }

    /// Returns where each head's features begin.
    fn starts(&self) -> impl Iterator<Item = usize> {
        (0..self.width).step_by(self.head)
    }

    /// Returns what scores are multiplied by.
    fn scale(&self) -> f32 {
        (self.head as f32).sqrt().recip()
    }

    fn forward(&self, qkv: &[f32]) -> Result<Vec<f32>> {
        let &Self {
            tokens,
            width,
            packed,
            ..
        } = self;
        let by_feature = self.over_features()?;
        let mixed = self.over_tokens(1, packed)?;
        let sizes = [self.head * tokens, tokens * tokens];
        Ok(filled(qkv.len() / 3, tokens * width, |sample, output| {
            let qkv = &qkv[sample * tokens * packed..][..tokens * packed];
            with_scratch(sizes, |[turned, p]| {
                for start in self.starts() {
                    self.probabilities(&by_feature, &qkv[start..], turned, p);
                    let values = &qkv[2 * width + start..];
                    self.product(&mixed, (p, tokens), values, (&mut output[start..], width));
                }
            });
        }))
    }

    fn backward(&self, [qkv, gradient]: [&[f32]; 2]) -> Result<Vec<f32>> {
        let &Self {
            tokens,
            width,
            packed,
            ..
        } = self;
        let by_feature = self.over_features()?;
        let by_key = self.over_tokens(1, packed)?;
        let by_query = self.over_tokens(tokens, packed)?;
        let by_output = self.over_tokens(tokens, width)?;
        let sizes = [self.head * tokens, tokens * tokens, tokens * tokens];
        Ok(filled(qkv.len(), tokens * packed, |sample, result| {
            let qkv = &qkv[sample * tokens * packed..][..tokens * packed];
            let gradient = &gradient[sample * tokens * width..][..tokens * width];
            with_scratch(sizes, |[turned, p, scores]| {
                for start in self.starts() {
                    let [q, k, v] = [0, width, 2 * width].map(|part| part + start);
                    let gradient = &gradient[start..];
                    self.probabilities(&by_feature, &qkv[q..], turned, p);
                    self.product(&by_output, (p, 1), gradient, (&mut result[v..], packed));
                    self.turn(&qkv[v..], turned);
                    self.product(&by_feature, (gradient, width), turned, (scores, tokens));
                    softmax_gradient(self.level, p, scores, tokens, self.scale());
                    let scores = &*scores;
                    let (queries, keys) = (&qkv[q..], &qkv[k..]);
                    self.product(&by_key, (scores, tokens), keys, (&mut result[q..], packed));
                    self.product(&by_query, (scores, 1), queries, (&mut result[k..], packed));
                }
            });
        }))
    }

    /// Computes the probabilities `p` `[t, t]` of the head with whose queries `qkv` begins.
    fn probabilities(&self, by_feature: &Sums, qkv: &[f32], turned: &mut [f32], p: &mut [f32]) {
        self.turn(&qkv[self.width..], turned);
        self.product(by_feature, (qkv, self.packed), turned, (p, self.tokens));
        softmax(self.level, p, self.tokens, self.scale());
    }

    /// Turns over the keys or values of a head.
    fn turn(&self, from: &[f32], turned: &mut [f32]) {
        let (tokens, head) = (self.tokens, self.head);
        transpose(self.level, from, self.packed, tokens, head, turned);
    }

    /// Computes `c`, a row a token; the left side and `c` come with the distance between their rows.
    fn product(
        &self,
        sums: &Sums,
        (a, row_stride): (&[f32], usize),
        b: &[f32],
        (c, stride): (&mut [f32], usize),
    ) {
        let product = Product {
            a,
            row_stride,
            b,
            terms: &sums.terms,
            rows: self.tokens,
            columns: sums.columns,
            start: Start::Zero,
            clamp: Clamp::NONE,
        };
        product.run(self.level, c, stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{agrees, same_with_all_threads};
    use candle_core::D;

    fn naive(qkv: &Tensor, heads: usize) -> Result<Tensor> {
        let (n, tokens, packed) = qkv.dims3()?;
        let head = packed / 3 / heads;
        let qkv = qkv
            .reshape((n, tokens, 3, heads, head))?
            .permute((2, 0, 3, 1, 4))?;
        let part = |i| qkv.get(i)?.contiguous();
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let scores = (q.matmul(&k.t()?.contiguous()?)? / (head as f64).sqrt())?.exp()?;
        let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
        weights
            .matmul(&v)?
            .transpose(1, 2)?
            .reshape((n, tokens, packed / 3))
    }

    #[test]
    fn follows_the_definition_and_its_gradients() {
        for (n, tokens, heads, head) in [
            (1, 1, 1, 1),
            (2, 3, 2, 5),
            (1, 17, 3, 8),
            (3, 33, 2, 16),
            (1, 65, 1, 64),
        ] {
            let dims: &[usize] = &[n, tokens, 3 * heads * head];
            agrees(
                &[dims],
                |o| attention(&o[0], heads),
                |o| naive(&o[0], heads),
            );
        }
    }

    #[test]
    fn threads_change_no_bit() {
        same_with_all_threads(&[&[5, 19, 3 * 4 * 12]], |o| attention(&o[0], 4));
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let values = vec![
            1e4f32, 0.0, 0.0, 0.0, 2.0, 4.0, 0.0, 1e4, -1e4, 1e4, 6.0, 8.0,
        ];
        let output = attention(&tensor(values, &[1, 2, 6]).unwrap(), 1).unwrap();
        let output = output.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(output, [2.0, 4.0, 6.0, 8.0]);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        for heads in [0, 3] {
            let refused = attention(&tensor(vec![0.0; 24], &[1, 2, 12]).unwrap(), heads);
            assert!(
                refused
                    .unwrap_err()
                    .to_string()
                    .contains("do not fall into")
            );
        }
    }
}
