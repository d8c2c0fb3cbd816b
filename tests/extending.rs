//! The worked example of a new allocator does what it says.

#[expect(dead_code, unreachable_pub, reason = "it is a program of its own, too")]
#[path = "../examples/new_allocator.rs"]
mod new_allocator;

#[test]
fn the_new_allocator_reaches_the_target_and_prunes_larger_layers_more() {
    let case = new_allocator::new_case().unwrap();
    let record = new_allocator::run(&case).unwrap();
    assert_eq!(record.allocator, "larger-first");
    assert!((record.sparsity.achieved - 0.7).abs() < 1e-3);
    let mut layers: Vec<_> = record
        .layers
        .iter()
        .map(|l| (l.numel, l.sparsity))
        .collect();
    layers.sort_by_key(|(numel, _)| *numel);
    for pair in layers.windows(2) {
        let rounding = 1.0 / pair[0].0 as f64;
        assert!(pair[1].1 >= pair[0].1 - rounding, "{pair:?}");
    }
    let old = new_allocator::run(&new_allocator::case("uniform").unwrap()).unwrap();
    assert_ne!(old.key, record.key);
}
