//! Rows of the tables of cases.

use super::entry::Entry;
use super::format::{ABSENT, Figure, bytes, duration, number, percent, rate, with};
use crate::record::{Metric, Record};
use serde::Serialize;

/// A row.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    page: &'a str,
    suite: &'a str,
    dataset: &'a str,
    model: &'a str,
    allocator: &'a str,
    reconstruction: &'a str,
    sparsity: Figure,
    metric: &'a str,
    dense: Figure,
    sparse: Figure,
    relative: Figure,
    seconds: Figure,
    memory: Figure,
}

impl<'a> Row<'a> {
    pub(super) fn new(entry: &'a Entry<'a>) -> Self {
        let record = entry.record;
        let (metric, relative) = match record.metrics.first() {
            Some((name, first)) => (name, first.relative),
            None => ("", None),
        };
        let first = |of: fn(&Metric) -> f64| {
            move |record: &'a Record| record.metrics.first().map(|(_, metric)| of(metric))
        };
        let [dense, sparse] = [|m: &Metric| m.dense, |m: &Metric| m.sparse].map(|of| {
            let (mean, deviation) = (entry.mean(first(of)), entry.deviation(first(of)));
            let text = mean.map_or(ABSENT.to_owned(), number);
            Figure::new(with(text, deviation.map(number)), mean.unwrap_or(f64::NAN))
        });
        // Of one seed, what diverged is said; of several, there is no mean then.
        let rho = entry
            .relative()
            .or(relative.filter(|_| entry.seeds.len() == 1));
        let deviation = entry.deviation(Record::relative);
        let seconds = entry.seconds();
        Self {
            page: &entry.page,
            suite: &record.suite,
            dataset: &record.dataset,
            model: &record.model,
            allocator: &record.allocator,
            reconstruction: &record.reconstruction,
            sparsity: Figure::new(rate(record.sparsity.target), record.sparsity.target),
            metric,
            dense,
            sparse,
            relative: Figure::new(
                with(
                    rho.map_or(ABSENT.to_owned(), |rho| percent(rho, 2)),
                    deviation.map(|rho| percent(rho, 2)),
                ),
                rho.unwrap_or(f64::NAN),
            ),
            seconds: Figure::new(duration(seconds), seconds),
            memory: Figure::new(
                record.peak_rss_bytes.map_or(ABSENT.to_owned(), bytes),
                record.peak_rss_bytes.map_or(f64::NAN, |bytes| bytes as f64),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_row_reads_like_its_record() {
        let records = [record("resnet20", "erk", "none", 0.8, 60.0)];
        let entries = entries(&records);
        let row = Row::new(&entries[0]);
        assert_eq!((row.metric, row.dense.text.as_str()), ("top1", "80.00"));
        assert_eq!(
            (row.sparse.text.as_str(), row.relative.text.as_str()),
            ("60.00", "75.00")
        );
        assert_eq!(row.relative.sort, "0.75");
        assert_eq!(row.memory.text, "1.00 GiB");
    }

    #[test]
    fn several_seeds_have_a_mean_and_a_deviation() {
        let mut records = [60.0, 62.0].map(|top1| record("vit", "erk", "none", 0.8, top1));
        records[1].environment.seed = 1;
        let entries = entries(&records);
        let row = Row::new(&entries[0]);
        assert_eq!(row.dense.text, "80.00 ± 0");
        assert_eq!(row.sparse.text, "61.00 ± 1.41");
        assert_eq!(row.relative.text, "76.25 ± 1.77");
    }

    #[test]
    fn what_diverged_or_is_absent_is_said() {
        let mut records = [record("vit", "erk", "none", 0.8, f64::NAN)];
        let texts = |records: &[Record]| {
            let entries = entries(records);
            let row = Row::new(&entries[0]);
            (row.sparse.text, row.relative.text)
        };
        assert_eq!(texts(&records), ("NaN".to_owned(), "NaN".to_owned()));
        records[0].metrics = std::iter::empty::<(&str, _)>().collect();
        assert_eq!(texts(&records), ("–".to_owned(), "–".to_owned()));
    }
}
