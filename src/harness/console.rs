//! What a run says on stderr: bars on a terminal, a line a case elsewhere.

use super::{Done, interrupted};
use crate::progress::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

/// The bars of a run.
#[derive(Debug)]
pub struct Console {
    bars: Option<MultiProgress>,
    total: OnceLock<ProgressBar>,
}

/// The bar of a case.
#[derive(Debug)]
pub struct Watcher {
    bar: ProgressBar,
}

impl Console {
    /// Makes a console with bars if stderr is a terminal.
    pub fn new() -> Self {
        Self {
            bars: std::io::stderr().is_terminal().then(MultiProgress::new),
            total: OnceLock::new(),
        }
    }

    /// Announces a number of cases.
    pub fn start(&self, cases: usize) {
        let style =
            style("{bar:32.cyan/dim} {pos}/{len} cases, {elapsed_precise}, about {eta} left");
        let bar = self.add(cases as u64, style);
        let _ = self.total.set(bar);
    }

    /// Returns a watcher for a case.
    pub fn watch(&self, id: &str) -> Watcher {
        let style = style("  {spinner} {prefix:.dim} {msg} {pos}/{len}");
        let bar = self.add(0, style).with_prefix(id.to_owned());
        Watcher { bar }
    }

    /// Tells of a result.
    pub fn passed(&self, done: &Done) {
        let record = &done.record;
        let metric = record
            .metrics
            .first()
            .map_or_else(String::new, |(name, m)| {
                format!("{name} {:.2} -> {:.2}", m.dense, m.sparse)
            });
        let time = if done.resumed {
            "stored".to_owned()
        } else {
            format!("{:.1} s", record.seconds.total)
        };
        self.line(&format!("ok      {}  {metric}  ({time})", record.case));
    }

    /// Tells of a failure.
    pub fn failed(&self, id: &str, message: &str) {
        self.line(&format!(
            "FAILED  {id}\n        {}",
            message.replace('\n', "\n        ")
        ));
    }

    /// Ends the bars.
    pub fn finish(&self) {
        if let Some(total) = self.total.get() {
            total.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        let total = self.total.get();
        if let Some(total) = total {
            total.inc(1);
        }
        match (&self.bars, total) {
            (Some(bars), _) => {
                let _ = bars.println(text);
            }
            (None, Some(total)) => {
                let (done, all) = (total.position(), total.length().unwrap_or(0));
                eprintln!("[{done}/{all}] {text}");
            }
            (None, None) => eprintln!("{text}"),
        }
    }

    fn add(&self, length: u64, style: ProgressStyle) -> ProgressBar {
        match &self.bars {
            Some(bars) => {
                let bar = bars.add(ProgressBar::new(length).with_style(style));
                bar.enable_steady_tick(Duration::from_millis(200));
                bar
            }
            None => {
                ProgressBar::with_draw_target(Some(length), indicatif::ProgressDrawTarget::hidden())
            }
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Watcher {
    fn stage(&self, name: &str, steps: usize) {
        self.bar.set_message(name.to_owned());
        self.bar.set_length(steps as u64);
        self.bar.set_position(0);
    }

    fn step(&self, _what: &str) {
        self.bar.inc(1);
    }

    fn cancelled(&self) -> bool {
        interrupted()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are right")
}
