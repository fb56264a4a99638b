//! A short comparison; `tracker-speed` makes longer ones. Whether anything is fast is not asserted here.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use peerfeed_load_tests::announcing::comparison::{Options, Row, run};
use peerfeed_load_tests::announcing::contestant::Contestant;
use peerfeed_load_tests::announcing::measure::Load;
use peerfeed_load_tests::announcing::memory::fill;
use peerfeed_load_tests::announcing::own::Own;
use peerfeed_load_tests::announcing::population::{Population, Shape};

#[test]
fn everybody_who_announces_is_answered_and_the_cost_is_told() -> Result<()> {
    let options = Options {
        shape: Shape::Zipf { swarms: 500, peers: 2000, largest: 300 },
        load: Load { visits: 8, per_visit: 4, requests: 8 },
        rounds: 2,
        duration: Duration::from_millis(300),
        others: false,
    };
    let own = Path::new(env!("CARGO_BIN_EXE_tracker-speed"));
    let mut comparison = run(&options, own, Path::new("nowhere"), |_| {})?;
    let page = comparison.page()?;
    let names = |rows: &[Row]| rows.iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(&comparison.udp), ["peerfeed", "floor"], "{page}");
    assert_eq!(names(&comparison.kept), ["peerfeed", "bare hyper"], "{page}");
    assert_eq!(names(&comparison.new), ["peerfeed", "bare hyper"], "{page}");
    for row in comparison.udp.iter().chain(&comparison.kept).chain(&comparison.new) {
        for run in &row.runs {
            assert!(run.announces > 10 && run.answers >= run.announces, "{}\n{page}", row.name);
            // A machine that is busy with other things may keep all that is under way waiting for a second, twice.
            let under_way = 2 * (options.load.visits as u64 * u64::from(options.load.per_visit));
            assert!(run.lost <= run.answers / 10 + under_way, "{}\n{page}", row.name);
            assert_eq!(run.refused, 0, "{}\n{page}", row.name);
            let cost_us = run.per_answer_us();
            assert!(cost_us > 0.1 && cost_us < 100_000.0, "{}\n{page}", row.name);
        }
    }
    let of_ours = &comparison.udp[0].runs[0];
    assert!(of_ours.peers > of_ours.announces, "each is told of others\n{page}");
    assert!(page.contains("| UDP | floor | 1.15x |"), "{page}");
    Ok(())
}

#[test]
fn the_trackers_own_work_is_measured_on_answers_that_it_gives() -> Result<()> {
    let population = Population::new(Shape::Zipf { swarms: 500, peers: 2000, largest: 300 });
    let each_ns = Own::new(&population, 4, 3)?.round_ns()?;
    assert!(each_ns > 1.0 && each_ns < 1e8, "{each_ns}");
    Ok(())
}

#[test]
fn memory_is_what_the_process_grew_by() -> Result<()> {
    let population = Population::new(Shape::Even { swarms: 20_000, each: 1 });
    let mut seen_bytes = 0;
    let look = |ours: &Contestant| {
        seen_bytes = ours.resident_bytes()?;
        Ok(())
    };
    let filling = fill(&population, None, |_| {}, look)?;
    let [ours] = &filling.held[..] else { panic!("{filling:?}") };
    assert!(ours.empty_bytes > 1 << 20 && ours.full_bytes > ours.empty_bytes, "{filling:?}");
    assert!(seen_bytes > ours.empty_bytes, "looked at when everybody is in");
    let each = ours.bytes_each(filling.peers);
    assert!(each > 30.0 && each < 2000.0, "{}", filling.page());
    Ok(())
}
