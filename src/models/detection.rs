//! What detectors have in common: how their heads are gathered, and which classes their columns stand for.

use super::default_boxes::DefaultBoxes;
use super::{Candidates, Coding, Detector, Head, Scoring, Selection};
use crate::graph::ops::{Conv2d, Predictions};
use crate::graph::{BuildError, Builder, Graph, ValueId};

/// Ends a graph with what heads say of each level, as outputs of some names and numbers of columns.
pub(super) fn gathered(
    mut builder: Builder,
    outputs: &[(&str, usize, Vec<ValueId>)],
) -> Result<Graph, BuildError> {
    let gathered = outputs.iter().map(|(name, columns, levels)| {
        let columns = *columns;
        builder.add(name, Predictions { columns }, levels)
    });
    let gathered: Vec<ValueId> = gathered.collect::<Result<_, _>>()?;
    Ok(builder.finish(&gathered))
}

/// Adds a head of some name with so many outputs to a feature map.
pub(super) type AddHead = fn(&mut Builder, &str, usize, ValueId) -> Result<ValueId, BuildError>;

/// Heads of SSD: for each level of a pyramid one for classes and one for boxes.
#[derive(Debug)]
pub(super) struct Heads {
    /// The modules that hold the heads for classes and the heads for boxes.
    modules: [&'static str; 2],
    num_classes: usize,
    add: AddHead,
    /// What the heads say of each level.
    said: [Vec<ValueId>; 2],
}

impl Heads {
    /// Makes heads called as torchvision's.
    pub(super) fn torchvision(num_classes: usize, add: AddHead) -> Self {
        let modules = [
            "head.classification_head.module_list",
            "head.regression_head.module_list",
        ];
        Self::new(modules, num_classes, add)
    }

    /// Makes heads in some modules.
    pub(super) fn new(modules: [&'static str; 2], num_classes: usize, add: AddHead) -> Self {
        Self {
            modules,
            num_classes,
            add,
            said: [Vec::new(), Vec::new()],
        }
    }

    /// Adds the heads of the next level, around each of whose cells there are so many boxes.
    pub(super) fn look(
        &mut self,
        builder: &mut Builder,
        boxes: usize,
        features: ValueId,
    ) -> Result<(), BuildError> {
        let columns = [self.num_classes, 4];
        for ((module, columns), said) in { self.modules.iter() }.zip(columns).zip(&mut self.said) {
            let name = format!("{module}.{}", said.len());
            said.push((self.add)(builder, &name, boxes * columns, features)?);
        }
        Ok(())
    }

    /// Ends the graph with what the heads say.
    pub(super) fn end(self, builder: Builder) -> Result<Graph, BuildError> {
        let [classes, places] = self.said;
        let outputs = [
            ("cls_logits", self.num_classes, classes),
            ("bbox_regression", 4, places),
        ];
        gathered(builder, &outputs)
    }
}

/// Adds a head of the original SSD: a 3x3 convolution.
pub(super) fn plain_head(
    builder: &mut Builder,
    name: &str,
    outputs: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let channels = builder.shape(input).channels();
    let conv = Conv2d::same(channels, outputs, 3).biased();
    builder.add(name, conv, &[input])
}

/// Returns rows and columns of a feature map, or zeros for what is none, which no operator takes.
pub(super) fn map_size(builder: &Builder, map: ValueId) -> [usize; 2] {
    let [_, rows, columns] = builder.shape(map).exactly().unwrap_or_default();
    [rows, columns]
}

/// Returns rows and columns of the feature map of each level, which the output `cls_logits` gathers.
pub(super) fn grids(graph: &Graph) -> Vec<[usize; 2]> {
    let output = graph.node(graph.find_node("cls_logits").expect("detectors have it"));
    let maps = output.inputs.iter().map(|map| &graph.value(*map).shape);
    maps.map(|map| {
        let [_, rows, columns] = map.exactly().expect("a map is an image");
        [rows, columns]
    })
    .collect()
}

/// The identifiers up to 90 that COCO gave to no class.
const COCO_UNUSED: [usize; 10] = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83];

/// Returns the classes of columns of which the first is the background. 91 columns are taken for COCO's identifiers, as torchvision does.
pub(super) fn after_background(columns: usize) -> Vec<Option<u32>> {
    let used = |column: &usize| columns != 91 || !COCO_UNUSED.contains(column);
    let mut classes = 0..;
    let class = |column: usize| { (column > 0 && used(&column)).then(|| classes.next()) }.flatten();
    (0..columns).map(class).collect()
}

/// Returns what the outputs of an SSD mean, whose images are squares of `side` pixels.
pub(super) fn ssd_head(
    boxes: &DefaultBoxes,
    [num_classes, side]: [usize; 2],
    graph: &Graph,
    selection: Selection,
) -> Head {
    Head::Boxes(Detector {
        levels: boxes.levels(&grids(graph), side),
        coding: Coding::Offsets([10.0, 10.0, 5.0, 5.0]),
        scoring: Scoring::Softmax,
        classes: after_background(num_classes),
        selection,
    })
}

/// torchvision's selection for SSD.
pub(super) const SSD_SELECTION: Selection = Selection {
    score_threshold: 0.01,
    candidates: Candidates::PerClass(400),
    nms_threshold: 0.45,
    detections: 200,
    clip: true,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_come_after_the_background() {
        assert_eq!(after_background(3), [None, Some(0), Some(1)]);
        let coco = after_background(91);
        assert_eq!(coco.iter().flatten().count(), 80);
        // A stop sign, a hat that nobody drew, and a parking meter.
        assert_eq!(coco[11..14], [Some(10), None, Some(11)]);
        assert_eq!(coco[90], Some(79));
    }
}
