//! The hot pieces of the road, one by one, by the clock: `cargo bench --bench pieces`. How many instructions they take: `cargo bench --bench instructions`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench fails by panicking; criterion's macros are not documented")]

#[path = "pieces/all.rs"]
mod all;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn pieces(bench: &mut Criterion) {
    for piece in all::ALL {
        let (group, name) = piece.name.split_once('/').unwrap();
        let mut group = bench.benchmark_group(group);
        if let Some(bytes) = piece.bytes {
            group.throughput(Throughput::Bytes(bytes as u64));
        }
        let mut once = (piece.prepare)();
        group.bench_function(name, |bench| bench.iter(&mut once));
        group.finish();
    }
}

criterion_group!(benches, pieces);
criterion_main!(benches);
