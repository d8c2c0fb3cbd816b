//! Descending on the scores.

use super::bridge::Bridge;
use super::scores::Scores;
use super::{Fcpts, Ste, Training};
use crate::allocate::{AllocateError, Calibration, Context, Learning, Moment};
use crate::capture::{gathered, selected};
use crate::descent::{Order, cosine, is_due};
use crate::graph::{ParamId, Plan, RunError, Weights};
use crate::kernels::{AdamStep, Moments, Wanted};
use candle_core::{DType, Tensor};

/// How often the loss over all samples is taken on the way, to keep the best.
const CHECKPOINTS: usize = 8;

/// Decay of the means of gradients and of their squares (Kingma and Ba 2015).
const BETAS: [f64; 2] = [0.9, 0.999];

/// Learns from `start`, and returns the best rates met with the course of events, and the step that led to NaN or infinity, if one did: it
/// is the last one.
pub(super) fn learn(
    technique: &Fcpts,
    context: Context<'_>,
    calibration: &Calibration<'_>,
    start: &[f64],
) -> Result<(Vec<f64>, Learning, Option<usize>), AllocateError> {
    let mut learner = Learner::new(technique, context, calibration, start)?;
    let iterations = technique.iterations.get();
    let progress = calibration.progress;
    progress.stage("learn rates", iterations);
    let mut course = Course::new(context);
    let mut order = Order::new(
        calibration.seed,
        super::NAME,
        learner.samples,
        calibration.batch_size,
    );
    course.note(0, &learner)?;
    let mut diverged = None;
    for step in 1..=iterations {
        progress.check()?;
        let decay = cosine(step - 1, iterations);
        let due = is_due(step, iterations, CHECKPOINTS);
        match course.step(&mut learner, &order.batch(), (step, decay), due) {
            Err(AllocateError::Diverged) => {
                diverged = Some(step);
                break;
            }
            taken => taken?,
        }
        progress.step("step");
    }
    let (rates, learning) = course.end(technique.weights);
    Ok((rates, learning, diverged))
}

/// What is written down on the way.
struct Course {
    learning: Learning,
}

impl Course {
    fn new(context: Context<'_>) -> Self {
        Self {
            learning: Learning {
                layers: context.layers.iter().map(|l| l.name.clone()).collect(),
                losses: Vec::new(),
                constraint: Vec::new(),
                moments: Vec::new(),
            },
        }
    }

    /// Takes a step, after which a moment may be due.
    fn step(
        &mut self,
        learner: &mut Learner<'_>,
        rows: &[u32],
        (step, decay): (usize, f64),
        due: bool,
    ) -> Result<(), AllocateError> {
        let loss = learner.step(rows, step as i32, decay)?;
        self.learning.losses.push(loss);
        let sparsity = learner.scores.sparsity(&learner.bridges);
        self.learning.constraint.push(sparsity - learner.target);
        if due {
            self.note(step, learner)?;
        }
        Ok(())
    }

    fn note(&mut self, step: usize, learner: &Learner<'_>) -> Result<(), AllocateError> {
        self.learning.moments.push(Moment {
            step,
            loss: learner.loss()?,
            rates: learner.rates(),
        });
        Ok(())
    }

    /// Returns the rates of least loss, the first of equals. Weights that learn make the loss smaller whatever the rates,
    /// so that with them the last rates count.
    fn end(self, training: Training) -> (Vec<f64>, Learning) {
        let moments = self.learning.moments.iter();
        let best = match training {
            Training::Frozen => moments.min_by(|a, b| a.loss.total_cmp(&b.loss)),
            Training::Trained => moments.last(),
        };
        let rates = best.expect("the start is a moment").rates.clone();
        (rates, self.learning)
    }
}

/// Scores, and weights if they are trained, on their way.
struct Learner<'a> {
    technique: &'a Fcpts,
    calibration: &'a Calibration<'a>,
    target: f64,
    samples: usize,
    params: Vec<ParamId>,
    plan: Plan,
    /// The dense outputs of all samples.
    teacher: Vec<Tensor>,
    /// The weights before masks.
    latent: Vec<Vec<f32>>,
    bridges: Vec<Bridge>,
    scores: Scores,
    score_moments: Vec<[f64; 2]>,
    weight_moments: Vec<Option<Moments>>,
}

impl<'a> Learner<'a> {
    fn new(
        technique: &'a Fcpts,
        context: Context<'_>,
        calibration: &'a Calibration<'a>,
        start: &[f64],
    ) -> Result<Self, AllocateError> {
        let graph = calibration.graph;
        let plan = graph.plan(graph.inputs(), graph.outputs());
        let latent: Vec<Vec<f32>> = context.layers.iter().map(|l| l.weights.clone()).collect();
        let bridges = latent.iter().map(|w| Bridge::new(w, technique.density));
        let bridges: Vec<Bridge> = bridges.collect();
        let mut scores = Scores::of(&bridges, start);
        scores.project(&bridges, context.target);
        let mut learner = Self {
            technique,
            calibration,
            target: context.target,
            samples: calibration.inputs.first().map_or(0, |t| t.dims()[0]),
            params: graph
                .prunable()
                .map(|(id, _)| graph.weight_of(id))
                .collect(),
            plan: plan.map_err(RunError::from)?,
            teacher: Vec::new(),
            score_moments: vec![[0.0; 2]; bridges.len()],
            weight_moments: bridges.iter().map(|_| None).collect(),
            latent,
            bridges,
            scores,
        };
        learner.teacher = learner.outputs_of_all(calibration.weights)?;
        Ok(learner)
    }

    fn rates(&self) -> Vec<f64> {
        let thresholds = self.scores.thresholds(&self.bridges);
        let pairs = self.bridges.iter().zip(thresholds);
        pairs.map(|(bridge, t)| bridge.rate(t)).collect()
    }

    /// Takes one step, and returns the loss of its batch.
    fn step(&mut self, rows: &[u32], step: i32, decay: f64) -> Result<f64, AllocateError> {
        let thresholds = self.scores.thresholds(&self.bridges);
        let sparse = self.sparse(&thresholds)?;
        let windows = self.windows(&thresholds)?;
        let Calibration {
            graph, objective, ..
        } = *self.calibration;
        let inputs = selected(&self.calibration.inputs, rows)?;
        let trace = self.plan.trace(graph, &sparse, &inputs)?;
        let targets = selected(&self.teacher, rows)?;
        let ids = graph.outputs();
        let outputs: Vec<Tensor> = ids.iter().map(|id| trace.value(*id).clone()).collect();
        let loss = objective.total(&outputs, &targets)? / rows.len() as f64;
        let seeds = objective.gradients(graph, ids, &trace, &targets)?;
        if !loss.is_finite() {
            return Err(AllocateError::Diverged);
        }
        let wanted = self.params.iter().zip(&windows);
        let wanted: Vec<(ParamId, Wanted<'_>)> = wanted
            .map(|(id, window)| (*id, window.as_ref().map_or(Wanted::All, Wanted::Where)))
            .collect();
        let gradients = self
            .plan
            .gradients(graph, &sparse, trace, &seeds, &wanted)?;
        let gradients = gradients
            .into_iter()
            .map(|gradient| gradient.map(|g| numbers(&g)).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        self.move_scores(&thresholds, &gradients, step, decay);
        if self.technique.weights == Training::Trained {
            self.move_weights(&thresholds, &gradients, step, decay)?;
        }
        if !self.scores.0.iter().all(|score| score.is_finite()) {
            return Err(AllocateError::Diverged);
        }
        self.scores.project(&self.bridges, self.target);
        Ok(loss)
    }

    /// Moves the scores along the surface of equal sparsity.
    fn move_scores(
        &mut self,
        thresholds: &[f64],
        gradients: &[Option<Vec<f32>>],
        step: i32,
        decay: f64,
    ) {
        let slopes = self.scores.slopes(&self.bridges);
        let layers = self.bridges.iter().zip(&self.latent).zip(gradients);
        let layers = layers.zip(thresholds.iter().zip(&slopes));
        let (losses, rates): (Vec<f64>, Vec<f64>) = layers
            .map(|(((bridge, weights), gradient), (threshold, slope))| {
                let through = gradient.as_ref().map_or(0.0, |gradient| {
                    threshold_gradient(bridge, self.technique.ste, weights, gradient, *threshold)
                });
                let pruned = bridge.numel() as f64 * bridge.density(*threshold);
                (slope * through, slope * pruned)
            })
            .unzip();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let multiplier = dot(&losses, &rates) / dot(&rates, &rates).max(f64::MIN_POSITIVE);
        let tangents = losses.iter().zip(&rates).map(|(l, r)| l - multiplier * r);
        let moments = self.score_moments.iter_mut();
        for ((score, moments), tangent) in self.scores.0.iter_mut().zip(moments).zip(tangents) {
            for ((moment, beta), value) in moments
                .iter_mut()
                .zip(BETAS)
                .zip([tangent, tangent * tangent])
            {
                *moment = beta * *moment + (1.0 - beta) * value;
            }
            let [first, second] = [0, 1].map(|i| moments[i] / (1.0 - BETAS[i].powi(step)));
            *score -= self.technique.lr * decay * first / (second.sqrt() + f64::MIN_POSITIVE);
        }
    }

    /// Moves the weights that the gradients' thresholds did not mask.
    fn move_weights(
        &mut self,
        thresholds: &[f64],
        gradients: &[Option<Vec<f32>>],
        step: i32,
        decay: f64,
    ) -> Result<(), AllocateError> {
        let rule = AdamStep::new(self.technique.weight_lr * decay, BETAS, 1e-8, step);
        for (index, gradient) in gradients.iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            let (weights, threshold) = (&self.latent[index], thresholds[index]);
            let through = weights.iter().zip(gradient);
            let through = through.map(|(w, g)| if kept(*w, threshold) { *g } else { 0.0 });
            let device = self.calibration.weights.tensor(self.params[index]).device();
            let vector = |values: Vec<f32>| Tensor::from_vec(values, weights.len(), device);
            let (weight, gradient) = (vector(weights.clone())?, vector(through.collect())?);
            let moments = match &mut self.weight_moments[index] {
                Some(moments) => moments,
                none => none.insert(Moments::zeros_like(&gradient)?),
            };
            let moved = numbers(&rule.take(&weight, &gradient, moments)?)?;
            if !moved.iter().all(|weight| weight.is_finite()) {
                return Err(AllocateError::Diverged);
            }
            self.latent[index] = moved;
            self.bridges[index] = Bridge::new(&self.latent[index], self.technique.density);
        }
        Ok(())
    }

    /// Returns the weights with those below their thresholds at zero.
    fn sparse(&self, thresholds: &[f64]) -> Result<Weights, AllocateError> {
        let mut sparse = self.calibration.weights.clone();
        for ((id, weights), threshold) in self.params.iter().zip(&self.latent).zip(thresholds) {
            let masked = weights
                .iter()
                .map(|w| if kept(*w, *threshold) { *w } else { 0.0 });
            let like = self.calibration.weights.tensor(*id);
            let masked = Tensor::from_vec(masked.collect(), like.shape(), like.device())?;
            sparse.set(*id, masked);
        }
        Ok(sparse)
    }

    /// Returns which weights' gradients matter: all of them, or those through which a kernel passes.
    fn windows(&self, thresholds: &[f64]) -> Result<Vec<Option<Tensor>>, AllocateError> {
        let layers = self.params.iter().zip(&self.latent);
        let layers = layers.zip(self.bridges.iter().zip(thresholds));
        let all = self.technique.weights == Training::Trained || self.technique.ste == Ste::Unit;
        layers
            .map(|((id, weights), (bridge, threshold))| {
                if all {
                    return Ok(None);
                }
                let inside = weights.iter().map(|w| {
                    let distance = f64::from(w.abs()) - threshold;
                    f32::from(u8::from(bridge.kernel(*threshold, distance) > 0.0))
                });
                let like = self.calibration.weights.tensor(*id);
                let window = Tensor::from_vec(inside.collect(), like.shape(), like.device())?;
                Ok(Some(window))
            })
            .collect()
    }

    /// Returns the distillation loss at the present scores, averaged over all samples.
    fn loss(&self) -> Result<f64, AllocateError> {
        let thresholds = self.scores.thresholds(&self.bridges);
        let outputs = self.outputs_of_all(&self.sparse(&thresholds)?)?;
        let sum = self.calibration.objective.total(&outputs, &self.teacher)?;
        let mean = sum / self.samples as f64;
        Some(mean)
            .filter(|mean| mean.is_finite())
            .ok_or(AllocateError::Diverged)
    }

    fn outputs_of_all(&self, weights: &Weights) -> Result<Vec<Tensor>, AllocateError> {
        gathered(self.samples, |rows| {
            let inputs = selected(&self.calibration.inputs, rows)?;
            Ok(self.plan.run(self.calibration.graph, weights, &inputs)?)
        })
    }
}

/// Whether a weight survives a threshold.
fn kept(weight: f32, threshold: f64) -> bool {
    f64::from(weight.abs()) > threshold
}

/// Returns the gradient of the loss with respect to a threshold, straight through the mask.
pub(super) fn threshold_gradient(
    bridge: &Bridge,
    ste: Ste,
    weights: &[f32],
    gradient: &[f32],
    threshold: f64,
) -> f64 {
    let part = |(weight, gradient): (&f32, &f32)| {
        let distance = f64::from(weight.abs()) - threshold;
        let passed = match ste {
            Ste::Kernel => bridge.kernel(threshold, distance),
            Ste::Unit => f64::from(u8::from(distance.abs() < 1.0)),
        };
        -f64::from(*gradient) * f64::from(*weight) * passed
    };
    weights.iter().zip(gradient).map(part).sum()
}

fn numbers(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
