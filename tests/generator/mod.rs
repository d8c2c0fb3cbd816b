//! The numbers that the fixtures of `tests/reference` are made with.

/// The generator of `models.py`: numbers in [0, 1) from a name.
pub(crate) fn uniform(name: &str, count: usize) -> Vec<f64> {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let element = |i: usize| {
        let step = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(i as u64 + 1);
        let mut z = hash.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1 << 24)
    };
    (0..count).map(element).collect()
}
