//! How reconstructions are named.

use super::correction::{CORRECTIONS, Correction};
use super::solver::{SOLVERS, Solver};
use crate::graph::{GRANULARITIES, Granularity};
use crate::registry::{Named, Spec, SpecError, UnknownName};
use std::fmt;
use std::str::FromStr;

/// Where the inputs of a unit come from. The target is always the dense network's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The dense network.
    Dense,
    /// The network as sparsified so far.
    Sparse,
}

/// One technique of a chain.
#[derive(Debug)]
pub struct Link {
    /// How the network is cut into units.
    pub granularity: &'static Granularity,
    /// Where a unit's inputs come from.
    pub input: Input,
    /// What is corrected in closed form beforehand.
    pub correction: &'static Correction,
    /// What then adjusts each unit.
    pub solver: Box<dyn Solver>,
    solver_spec: Spec,
}

/// A chain of techniques; an empty one is `none`, masking only.
#[derive(Debug)]
pub struct Reconstruction {
    links: Vec<Link>,
}

/// A reconstruction that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReconstructionSpecError {
    /// Not of the right form.
    #[error(
        "`{0}` is not a reconstruction, expected `none` or `<granularity>-<dense|sparse>-<correction>-<solver>`, such as `block-sparse-weight+bias-adam`"
    )]
    Form(String),
    /// A part is unknown.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The solver is unknown, or refuses its parameters.
    #[error(transparent)]
    Solver(#[from] SpecError),
    /// The solver works on single layers only.
    #[error("solver `{solver}` does not work on `{granularity}` units, expected `single`")]
    Granularity {
        /// The solver.
        solver: String,
        /// The granularity.
        granularity: String,
    },
}

impl Reconstruction {
    /// Returns the techniques in the order in which they run.
    pub fn links(&self) -> &[Link] {
        &self.links
    }
}

impl From<Vec<Link>> for Reconstruction {
    fn from(links: Vec<Link>) -> Self {
        Self { links }
    }
}

impl FromStr for Reconstruction {
    type Err = ReconstructionSpecError;

    fn from_str(text: &str) -> Result<Self, ReconstructionSpecError> {
        if text == "none" {
            return Ok(Self { links: Vec::new() });
        }
        let links = split_chain(text)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { links })
    }
}

impl fmt::Display for Reconstruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links: Vec<String> = self.links.iter().map(ToString::to_string).collect();
        match links.as_slice() {
            [] => f.write_str("none"),
            links => f.write_str(&links.join(",")),
        }
    }
}

impl FromStr for Link {
    type Err = ReconstructionSpecError;

    fn from_str(text: &str) -> Result<Self, ReconstructionSpecError> {
        let mut parts = text.splitn(4, '-');
        let mut part = || {
            let part = parts.next().filter(|part| !part.is_empty());
            part.ok_or_else(|| ReconstructionSpecError::Form(text.to_owned()))
        };
        let (granularity, input, correction, solver) = (part()?, part()?, part()?, part()?);
        let solver_spec: Spec = solver.parse()?;
        let link = Self {
            granularity: GRANULARITIES.find(granularity)?,
            input: input.parse()?,
            correction: CORRECTIONS.find(correction)?,
            solver: SOLVERS.build(&solver_spec)?,
            solver_spec,
        };
        if link.solver.single_layers_only() && granularity != "single" {
            return Err(ReconstructionSpecError::Granularity {
                solver: solver.to_owned(),
                granularity: granularity.to_owned(),
            });
        }
        Ok(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}-{}-{}",
            self.granularity.name(),
            self.input.name(),
            self.correction.name(),
            self.solver_spec
        )
    }
}

impl Input {
    const ALL: [Self; 2] = [Self::Dense, Self::Sparse];

    fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Sparse => "sparse",
        }
    }
}

impl FromStr for Input {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let known = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|input| input.name() == text)
            .ok_or_else(|| UnknownName::new("reconstruction input", text, known))
    }
}

/// Splits at the commas that are not between parentheses.
fn split_chain(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconstructions_are_read_and_written_back() {
        for text in [
            "none",
            "block-sparse-weight+bias-sgd",
            "single-dense-none-exact",
            "layer-sparse-bias-adam(lr=0.003,decay=cosine)",
            "block-sparse-weight+bias-adam(lr=0.003,decay=cosine),layer-sparse-none-sgd(lr=0.01)",
        ] {
            let parsed: Reconstruction = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn bad_reconstructions_say_why() {
        for (text, why) in [
            ("block-sparse-none", "is not a reconstruction"),
            ("blok-sparse-none-adam", "did you mean `block`"),
            ("block-spars-none-adam", "did you mean `sparse`"),
            ("block-sparse-biass-adam", "did you mean `bias`"),
            ("block-sparse-none-adm", "did you mean `adam`"),
            ("block-sparse-none-adam(rate=1)", "bad parameters"),
            ("block-sparse-none-exact", "expected `single`"),
            ("none,none", "is not a reconstruction"),
            ("", "is not a reconstruction"),
        ] {
            let message = text.parse::<Reconstruction>().unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
