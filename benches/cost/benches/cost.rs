//! The same with criterion's statistics: `cargo bench -p bench-cost`.

use std::cell::RefCell;

use bench_cost::by_hand::Hand;
use bench_cost::by_sea_orm::SeaOrm;
use bench_cost::by_sqlx::Sqlx;
use bench_cost::by_us::Us;
use bench_cost::{Fixture, Operation};
use criterion::{Criterion, criterion_group, criterion_main};

fn cost(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fixture = runtime.block_on(Fixture::new());
    macro_rules! side {
        ($name:literal, $new:expr) => {{
            let side = RefCell::new(runtime.block_on($new));
            for (operation, _) in Operation::ALL {
                runtime.block_on(fixture.tidy());
                let mut group = criterion.benchmark_group(operation.name());
                group.bench_function($name, |bencher| {
                    bencher.iter(|| runtime.block_on(side.borrow_mut().run(operation)));
                });
            }
        }};
    }
    side!("workspace-db", Us::new(&fixture, fixture.database.config().expect("URLs")));
    side!("by hand", Hand::new(&fixture, &fixture.app()));
    let superuser = fixture.database.superuser_url().expect("a URL");
    side!("by hand, no policies", Hand::new(&fixture, &superuser));
    side!("sqlx", Sqlx::new(&fixture));
    side!("sea-orm", SeaOrm::new(&fixture));
}

criterion_group!(benches, cost);
criterion_main!(benches);
