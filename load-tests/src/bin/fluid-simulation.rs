//! One slow seeder and a crowd with limited uplinks, in virtual time: how long until the last one has the file, against
//! the fluid bound. The same seed gives the same run. Ends with 1 when a crowd takes longer than is asked for.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use peerfeed_load_tests::bound::{Line, fluid_seconds};
use peerfeed_load_tests::results::{head, publish, ratio};
use peerfeed_load_tests::simulation::{Content, Plan, World};

/// Measures crowds of pure engines against the fluid bound.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Clients, one run for each number.
    #[arg(long, value_delimiter = ',', default_value = "2,5,20,50")]
    clients: Vec<usize>,
    /// Size of the file, MiB.
    #[arg(long, default_value_t = 256)]
    mib: usize,
    /// What the seeder can send, KB per second.
    #[arg(long, default_value_t = 4_000)]
    seeder_up: u64,
    /// What a client can send, KB per second.
    #[arg(long, default_value_t = 2_000)]
    up: u64,
    /// From one machine to another, ms.
    #[arg(long, default_value_t = 25)]
    one_way: u64,
    /// Times the fluid bound that a crowd may take.
    #[arg(long, default_value_t = 1.15)]
    at_most: f64,
    /// Everything that is left to chance follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What came of one crowd.
struct Outcome {
    seconds: f64,
    median_seconds: f64,
    bound_seconds: f64,
    seeder_copies: f64,
    sent_per_byte: f64,
    cpu_seconds: f64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut page = head("One slow seeder, many clients: in virtual time");
    // Where the page goes is nobody's business.
    let shown = Arguments { out: None, ..arguments.clone() };
    writeln!(page, "\n`{shown:?}`\n")?;
    writeln!(
        page,
        "| clients | fluid bound | the last one | of the bound | half of them | copies sent by the seeder | bytes sent by all, per byte wanted | seconds of this machine |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|---|---|")?;
    let mut within = true;
    for clients in &arguments.clients {
        let outcome = crowd(&arguments, *clients)?;
        let times = outcome.seconds / outcome.bound_seconds;
        within &= times <= arguments.at_most;
        let line = format!(
            "| {clients} | {:.1} s | {:.1} s | {times:.3} | {:.1} s | {:.2} | {:.3} | {:.1} |",
            outcome.bound_seconds,
            outcome.seconds,
            outcome.median_seconds,
            outcome.seeder_copies,
            outcome.sent_per_byte,
            outcome.cpu_seconds
        );
        eprintln!("{line}");
        writeln!(page, "{line}")?;
    }
    publish(&page, arguments.out.as_deref())?;
    Ok(if within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn crowd(arguments: &Arguments, clients: usize) -> Result<Outcome> {
    let mut content = Content::new()?;
    content.post("a film", arguments.mib << 20)?;
    let began = Instant::now();
    let plan = Plan { one_way: Duration::from_millis(arguments.one_way), seed: arguments.seed };
    let mut world = World::new(plan, content, arguments.seeder_up * 1_000, 50)?;
    let start = world.now;
    let numbers: Vec<usize> = (0..clients).map(|_| world.join(arguments.up * 1_000, false)).collect();
    let mut done: Vec<Option<f64>> = vec![None; clients];
    let all = world.run(start.after(Duration::from_secs(24 * 3_600)), |world| {
        for (number, done) in numbers.iter().zip(&mut done) {
            if done.is_none() && world.machines[*number].shelf.is_complete(&world.content) {
                *done = Some(world.now.since(start).as_secs_f64());
            }
        }
        done.iter().all(Option::is_some)
    });
    let mut times: Vec<f64> = done.into_iter().flatten().collect();
    times.sort_by(f64::total_cmp);
    let seconds = times.last().copied().filter(|_| all).context("not everybody has got the file")?;
    let bytes = (arguments.mib as u64) << 20;
    let sent: u64 = world.machines.iter().map(|machine| machine.sent_bytes).sum();
    let lines = vec![Line { up: arguments.up * 1_000, down: None }; clients];
    Ok(Outcome {
        seconds,
        median_seconds: times[times.len() / 2],
        bound_seconds: fluid_seconds(bytes, arguments.seeder_up * 1_000, &lines),
        seeder_copies: ratio(world.machines[0].sent_bytes, bytes),
        sent_per_byte: ratio(sent, bytes * clients as u64),
        cpu_seconds: began.elapsed().as_secs_f64(),
    })
}
