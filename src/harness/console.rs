//! What a run says on stderr: bars on a terminal; elsewhere a line a case, and one every so often for those under way.

use super::{Done, interrupted};
use crate::progress::Progress;
use indicatif::{FormattedDuration, MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The bars of a run.
#[derive(Debug)]
pub struct Console {
    bars: Option<MultiProgress>,
    total: OnceLock<ProgressBar>,
    /// Those of the cases under way, and of some that have ended.
    watched: Mutex<Vec<ProgressBar>>,
}

/// The bar of a case.
#[derive(Debug)]
pub struct Watcher {
    bar: ProgressBar,
    deadline: Mutex<Option<Instant>>,
    /// Whether work was told to stop because of the deadline.
    late: AtomicBool,
}

impl Console {
    /// Makes a console with bars if stderr is a terminal.
    pub fn new() -> Self {
        Self {
            bars: std::io::stderr().is_terminal().then(MultiProgress::new),
            total: OnceLock::new(),
            watched: Mutex::default(),
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
        self.watch_for(id, None)
    }

    /// Returns a watcher for a case, which stops it after `limit`, not counting what it waits for other cases.
    pub fn watch_for(&self, id: &str, limit: Option<Duration>) -> Watcher {
        let style = style("  {spinner} {prefix:.dim} {msg} {pos}/{len}");
        let bar = self.add(0, style).with_prefix(id.to_owned());
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|bar| !bar.is_finished());
        watched.push(bar.clone());
        Watcher {
            bar,
            deadline: Mutex::new(limit.and_then(|limit| Instant::now().checked_add(limit))),
            late: AtomicBool::new(false),
        }
    }

    /// Says what is under way, where no bars do.
    pub fn beat(&self) {
        if self.bars.is_none() {
            eprintln!("{}", self.under_way());
        }
    }

    fn under_way(&self) -> String {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let bars = watched.iter().filter(|bar| !bar.is_finished());
        let cases = bars.map(|bar| {
            let stage = bar.message();
            let stage = if stage.is_empty() { "start" } else { &stage };
            let steps = bar.length().unwrap_or(0);
            format!("{} ({stage} {}/{steps})", bar.prefix(), bar.position())
        });
        let cases: Vec<String> = cases.collect();
        let (done, all, time) = self.total.get().map_or((0, 0, Duration::ZERO), |total| {
            let all = total.length().unwrap_or(0);
            (total.position(), all, total.elapsed())
        });
        let time = FormattedDuration(time);
        format!(
            "[{done}/{all}] after {time}, under way: {}",
            cases.join(", ")
        )
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

    fn waited(&self, time: Duration) {
        let mut deadline = self.deadline();
        *deadline = deadline.and_then(|end| end.checked_add(time));
    }

    fn cancelled(&self) -> bool {
        let late = self.deadline().is_some_and(|end| Instant::now() >= end);
        if late {
            self.late.store(true, Ordering::Relaxed);
        }
        late || interrupted()
    }
}

impl Watcher {
    fn deadline(&self) -> MutexGuard<'_, Option<Instant>> {
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the case was stopped because its time was over.
    pub fn was_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_told_while_it_is() {
        let console = Console::new();
        console.start(3);
        let done = console.watch("a");
        let watcher = console.watch("b");
        drop(done);
        watcher.stage("reconstruct", 5);
        watcher.step("layer1");
        let told = console.under_way();
        assert_eq!(told, "[0/3] after 00:00:00, under way: b (reconstruct 1/5)");
    }

    #[test]
    fn a_case_is_stopped_when_its_time_is_over() {
        let console = Console::new();
        for (limit, late) in [
            (None, false),
            (Some(Duration::from_secs(3600)), false),
            (Some(Duration::ZERO), true),
        ] {
            let watcher = console.watch_for("a", limit);
            assert_eq!((&watcher as &dyn Progress).check().is_err(), late);
            assert_eq!(watcher.was_late(), late);
        }
    }

    #[test]
    fn waiting_for_others_does_not_count() {
        let console = Console::new();
        let watcher = console.watch_for("a", Some(Duration::ZERO));
        assert!(watcher.cancelled() && watcher.was_late());
        let watcher = console.watch_for("b", Some(Duration::ZERO));
        watcher.waited(Duration::from_secs(3600));
        assert!(!watcher.cancelled() && !watcher.was_late());
    }
}
