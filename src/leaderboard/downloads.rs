//! All cases as files for other programs, beside the page.

use super::words::family;
use crate::record::{Record, Scale};
use serde::Serialize;
use std::io;

/// A metric of a case: a row of the table.
#[derive(Debug, Serialize)]
struct Row<'a> {
    case: &'a str,
    suite: &'a str,
    task: &'a str,
    dataset: &'a str,
    model: &'a str,
    family: &'a str,
    allocator: &'a str,
    reconstruction: &'a str,
    sparsity: f64,
    achieved: f64,
    seed: u64,
    metric: &'a str,
    unit: &'static str,
    dense: f64,
    sparse: f64,
    relative: Option<f64>,
    seconds: f64,
    peak_rss_bytes: Option<u64>,
}

/// Returns a table of all metrics of all cases, with a heading.
pub(super) fn table(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        for (metric, value) in record.metrics.iter() {
            writer.serialize(Row {
                case: &record.case,
                suite: &record.suite,
                task: &record.task,
                dataset: &record.dataset,
                model: &record.model,
                family: family(&record.model).unwrap_or(&record.model),
                allocator: &record.allocator,
                reconstruction: &record.reconstruction,
                sparsity: record.sparsity.target,
                achieved: record.sparsity.achieved,
                seed: record.environment.seed,
                metric,
                unit: Scale::of(metric).unit,
                dense: value.dense,
                sparse: value.sparse,
                relative: value.relative,
                seconds: record.seconds.total,
                peak_rss_bytes: record.peak_rss_bytes,
            })?;
        }
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// Returns all records as one JSON array, without their pictures.
pub(super) fn array(records: &[Record]) -> serde_json::Result<Vec<u8>> {
    let plain = records.iter().map(|record| Record {
        exhibits: Vec::new(),
        ..record.clone()
    });
    serde_json::to_vec(&plain.collect::<Vec<Record>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn every_metric_has_a_row_and_names_are_quoted() {
        let odd = record("resnet20", "erk(power=0.5)", "a,b \"c\"\nd", 0.8, f64::NAN);
        let records = [record("resnet20", "erk", "none", 0.8, 60.0), odd];
        let text = table(&records).unwrap();
        let mut reader = csv::Reader::from_reader(&*text);
        let columns = reader.headers().unwrap().clone();
        let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 4);
        let cell = |row: usize, name: &str| &rows[row][at(name)];
        assert_eq!(cell(0, "metric"), "top1");
        assert_eq!(cell(0, "family"), "resnet-cifar");
        assert_eq!(
            [cell(0, "dense"), cell(0, "sparse"), cell(0, "relative")],
            ["80.0", "60.0", "0.75"]
        );
        assert_eq!(cell(2, "reconstruction"), "a,b \"c\"\nd");
        assert_eq!(cell(2, "sparse"), "NaN");
        assert_eq!(cell(3, "metric"), "top5");
    }

    #[test]
    fn the_array_reads_back_as_records() {
        let records = [record("resnet20", "erk", "none", 0.8, 60.0)];
        let text = array(&records).unwrap();
        let back: Vec<Record> = serde_json::from_slice(&text).unwrap();
        assert_eq!(back, records);
    }
}
