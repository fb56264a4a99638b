//! The page that a person looks at: one file of HTML, with nothing from elsewhere.

use std::fmt::Write as _;
use std::time::Duration;

use super::history::{History, Range, Series};
use super::plot::{Layer, Plot, Unit, ago, escaped};
use super::snapshot::{Group, Snapshot};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page. `nonce`, fresh for each answer, is what its script is allowed by.
pub fn render(snapshot: &Snapshot, history: &History, range: Range, nonce: &str) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>peerfeed tracker</title>\
         <link rel=\"icon\" href=\"data:,\"><noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\
         <style>{STYLE}</style></head><body><main>"
    );
    header(&mut out, snapshot, range);
    tiles(&mut out, snapshot, history);
    out.push_str("<div class=\"plots\">");
    for plot in plots(snapshot, history, range) {
        out.push_str(&plot.render());
    }
    out.push_str("</div><div class=\"below\">");
    refusals(&mut out, snapshot, history);
    out.push_str("<div>");
    host(&mut out, snapshot);
    kernel(&mut out, snapshot);
    out.push_str("</div></div>");
    out.push_str(
        "<footer><a href=\"/metrics\">metrics for Prometheus</a><a href=\"/stats.json\">stats.json</a>\
         <a href=\"/health\">health</a><span>No address of a peer and no hash is shown or kept here.</span></footer>",
    );
    let _ = writeln!(out, "</main><script nonce=\"{nonce}\">{SCRIPT}</script></body></html>");
    out
}

fn header(out: &mut String, snapshot: &Snapshot, range: Range) {
    let (class, health) = match snapshot.findings.len() {
        0 => ("good", "all is well".to_owned()),
        1 => ("warn", "1 thing to look at".to_owned()),
        several => ("warn", format!("{several} things to look at")),
    };
    let up = if snapshot.up < Duration::from_secs(60) { "less than a minute".to_owned() } else { ago(snapshot.up) };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<header><svg class=\"mark\" viewBox=\"0 0 34 34\" aria-hidden=\"true\"><path d=\"M9 10 26 12 15 27Z\" \
         fill=\"none\"/><circle cx=\"9\" cy=\"10\" r=\"5\"/><circle cx=\"26\" cy=\"12\" r=\"4\"/>\
         <circle cx=\"15\" cy=\"27\" r=\"4\"/></svg><h1>peerfeed tracker<small>version {} · up for {up}</small></h1>\
         <a class=\"pill {class}\" href=\"#machine\">{health}</a><nav aria-label=\"time span\">",
        env!("CARGO_PKG_VERSION"),
    );
    for (other, name) in Range::ALL.into_iter().zip(["Hour", "Day", "30 days"]) {
        let class = if other == range { " class=\"now\" aria-current=\"true\"" } else { "" };
        let _ = write!(out, "<a href=\"/?range={}\"{class}>{name}</a>", other.name());
    }
    out.push_str("</nav></header>");
}

fn tiles(out: &mut String, snapshot: &Snapshot, history: &History) {
    let rate = |wanted: fn(Group) -> bool| {
        let places = (0..snapshot.counts.len()).filter(|&place| wanted(snapshot.counts[place].group));
        places.map(|place| f64::from(history.last_minute(Series::Count(place)))).sum::<f64>()
    };
    let answered = rate(|group| matches!(group, Group::Answer { .. }));
    let refused = rate(|group| group == Group::Refusal);
    let total: u64 =
        snapshot.counts.iter().filter(|count| matches!(count.group, Group::Answer { .. })).map(|c| c.value).sum();
    let mut tile = |name: &str, value: &str, unit: &str, detail: &str| {
        let _ = write!(
            out,
            "<section class=\"card tile\"><span>{name}</span><b>{value}<i>{unit}</i></b>{detail}</section>"
        );
    };
    let note = |text: String| format!("<em>{text}</em>");
    let families = |v4, v6| note(format!("{} IPv4 · {} IPv6", short(v4), short(v6)));
    tile("Swarms", &short(snapshot.swarms()), "", &families(snapshot.swarms_v4, snapshot.swarms_v6));
    tile("Peers", &short(snapshot.peers()), "", &families(snapshot.peers_v4, snapshot.peers_v6));
    tile("Answers", &Unit::Rate.show(answered), "/ s", &note(format!("{} since the start", short(total))));
    let share = if answered + refused > 0.0 { refused / (answered + refused) * 100.0 } else { 0.0 };
    tile("Refused", &Unit::Rate.show(refused), "/ s", &note(format!("{share:.1} % of all requests")));
    // Where the host does not tell what the process takes, what is counted has to do.
    let used_bytes = snapshot.resident_bytes.unwrap_or(snapshot.used_bytes);
    let budget = bar(used_bytes, snapshot.budget_bytes);
    let of = note(format!("of {}", Unit::Bytes.show(number(snapshot.budget_bytes))));
    let used = Unit::Bytes.show(number(used_bytes));
    let (value, unit) = used.split_once(' ').unwrap_or((&used, ""));
    tile("Memory", value, unit, &(budget + &of));
    let places = bar(snapshot.connections, snapshot.connections_max);
    let of = note(format!("of {} over HTTP", whole(snapshot.connections_max)));
    tile("Connections", &short(snapshot.connections), "", &(places + &of));
    out.insert_str(out.find("<section").unwrap_or(out.len()), "<div class=\"tiles\">");
    out.push_str("</div>");
}

fn plots<'a>(snapshot: &'a Snapshot, history: &History, range: Range) -> Vec<Plot<'a>> {
    let points = |series| history.points(range, series).collect::<Vec<_>>();
    let (step, window) = (range.step(), history.window(range));
    let layer = |label, color, series| Layer { label, color, stacked: true, points: points(series) };
    let answers = [
        ("HTTP scrape", 3, "http", "scrape"),
        ("HTTP announce", 1, "http", "announce"),
        ("UDP scrape", 4, "udp", "scrape"),
        ("UDP connect", 2, "udp", "connect"),
        ("UDP announce", 0, "udp", "announce"),
    ];
    let answers = answers.into_iter().filter_map(|(label, color, transport, kind)| {
        Some(layer(label, color, Series::answers(snapshot, transport, kind)?))
    });
    let connections = Layer { label: "open connections", color: 3, stacked: true, points: points(Series::Connections) };
    let mut resident = layer("whole process", 2, Series::ResidentBytes);
    resident.stacked = false;
    #[allow(clippy::cast_precision_loss, reason = "a plot shows three digits")]
    let bound = Some(("budget", snapshot.budget_bytes as f64));
    vec![
        Plot { title: "Answers per second", unit: Unit::Rate, layers: answers.collect(), bound: None, step, window },
        Plot {
            title: "Peers",
            unit: Unit::Count,
            layers: vec![layer("IPv6", 1, Series::PeersV6), layer("IPv4", 0, Series::PeersV4)],
            bound: None,
            step,
            window,
        },
        Plot {
            title: "Swarms",
            unit: Unit::Count,
            layers: vec![layer("swarms", 2, Series::Swarms)],
            bound: None,
            step,
            window,
        },
        Plot {
            title: "Memory",
            unit: Unit::Bytes,
            layers: vec![layer("swarms and peers", 0, Series::UsedBytes), resident],
            bound,
            step,
            window,
        },
        Plot {
            title: "Refused or dropped per second",
            unit: Unit::Rate,
            layers: causes(snapshot, history, range),
            bound: None,
            step,
            window,
        },
        Plot { title: "HTTP connections", unit: Unit::Count, layers: vec![connections], bound: None, step, window },
    ]
}

/// The five most frequent causes, what the kernel dropped on top.
fn causes<'a>(snapshot: &'a Snapshot, history: &History, range: Range) -> Vec<Layer<'a>> {
    let refusals = snapshot.counts.iter().enumerate().filter(|(_, count)| count.group == Group::Refusal);
    let mut causes: Vec<_> = refusals
        .map(|(place, count)| {
            let points: Vec<f32> = history.points(range, Series::Count(place)).collect();
            (points.iter().sum::<f32>(), count.name, points)
        })
        .filter(|(sum, ..)| *sum > 0.0)
        .collect();
    causes.sort_by(|a, b| b.0.total_cmp(&a.0));
    causes.truncate(4);
    let layers = causes.into_iter().zip([0, 1, 2, 3]);
    let mut layers: Vec<_> =
        layers.map(|((_, label, points), color)| Layer { label, color, stacked: true, points }).collect();
    let points = history.points(range, Series::KernelDrops).collect();
    layers.push(Layer { label: "dropped by the kernel", color: 4, stacked: true, points });
    layers
}

fn refusals(out: &mut String, snapshot: &Snapshot, history: &History) {
    out.push_str(
        "<section class=\"card\"><h2>Refused or dropped, by cause</h2><table><tr><th>cause</th>\
         <th>per second</th><th>since the start</th></tr>",
    );
    let places = snapshot.counts.iter().enumerate().filter(|(_, count)| count.group == Group::Refusal);
    let (mut rows, never): (Vec<_>, Vec<_>) = places.partition(|(_, count)| count.value > 0);
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.value));
    for (place, count) in rows {
        let rate = Unit::Rate.show(f64::from(history.last_minute(Series::Count(place))));
        let (name, meaning, total) = (count.name, escaped(count.meaning), whole(count.value));
        let _ = write!(out, "<tr><td>{name}<small>{meaning}</small></td><td>{rate}</td><td>{total}</td></tr>");
    }
    out.push_str("</table>");
    let never: Vec<_> = never
        .iter()
        .map(|(_, count)| format!("<span title=\"{}\">{}</span>", escaped(count.meaning), count.name))
        .collect();
    if !never.is_empty() {
        let _ = write!(out, "<p class=\"never\">Has not happened: {}</p>", never.join(", "));
    }
    out.push_str("</section>");
}

fn host(out: &mut String, snapshot: &Snapshot) {
    out.push_str("<section class=\"card\" id=\"machine\"><h2>This machine</h2><ul>");
    for finding in &snapshot.findings {
        let _ = write!(out, "<li>{}</li>", escaped(finding));
    }
    if snapshot.findings.is_empty() {
        out.push_str("<li class=\"fine\">gives the tracker everything it asks for</li>");
    }
    if let Some(share) = snapshot.conntrack_share {
        let class = if share < 0.8 { " class=\"fine\"" } else { "" };
        let _ = write!(out, "<li{class}>connection tracking is {:.0} % full</li>", share * 100.0);
    }
    let denied = whole(snapshot.denied);
    let lists = match (snapshot.allowed, snapshot.denied) {
        (None, 0) => "every hash is served".to_owned(),
        (None, _) => format!("every hash is served but {denied} on the deny list"),
        (Some(allowed), _) => format!("{} hashes are served, {denied} are denied", whole(allowed)),
    };
    let _ = write!(out, "<li class=\"fine\">{lists}</li></ul></section>");
}

fn kernel(out: &mut String, snapshot: &Snapshot) {
    let kernel = &snapshot.kernel;
    out.push_str(
        "<section class=\"card\"><h2>Dropped by the kernel</h2><table><tr><th>where</th><th>datagrams</th></tr>",
    );
    for (name, value) in [
        ("at the tracker's sockets<small>since they were opened</small>", kernel.sockets),
        ("receive buffers full<small>whole machine, since it started</small>", kernel.receive_buffer),
        ("send buffers full<small>whole machine, since it started</small>", kernel.send_buffer),
        ("wrong checksums<small>whole machine, since it started</small>", kernel.checksum),
    ] {
        let class = if value == 0 { " class=\"zero\"" } else { "" };
        let _ = write!(out, "<tr{class}><td>{name}</td><td>{}</td></tr>", whole(value));
    }
    out.push_str("</table></section>");
}

fn bar(value: u64, max: u64) -> String {
    let share = if max == 0 { 0.0 } else { (number(value) / number(max)).min(1.0) * 100.0 };
    let class = match share {
        share if share >= 95.0 => " class=\"bad\"",
        share if share >= 80.0 => " class=\"warn\"",
        _ => "",
    };
    format!("<div class=\"bar\"><div{class} style=\"width:{share:.1}%\"></div></div>")
}

#[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
fn number(value: u64) -> f64 {
    value as f64
}

fn short(value: u64) -> String {
    Unit::Count.show(number(value))
}

/// All digits, in groups of three.
fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::busy;
    use super::*;

    fn page(range: Range) -> String {
        let mut history = History::new();
        for n in 0..=30 {
            history.push(busy(10 * n));
        }
        render(&busy(300), &history, range, "4711")
    }

    #[test]
    fn what_an_operator_wants_to_know_is_on_the_page() {
        let html = page(Range::Hour);
        for part in [
            "<span>Swarms</span><b>1M",
            "<span>Peers</span><b>3.7M",
            "3M IPv4 · 700k IPv6",
            "<span>Answers</span><b>2020<i>/ s",
            "<span>Refused</span><b>7<i>/ s",
            "<b>213<i>MiB</i></b>",
            "style=\"width:41.6%\"",
            "every hash is served but 17 on the deny list",
            ">\u{2212}15\u{a0}min</u>",
            "up for 5\u{a0}min",
            "Answers per second</h2>",
            "UDP announce <b>1000</b>",
            "udp_malformed<small>Datagrams that are no tracker requests, dropped.</small></td><td>7</td><td>2\u{202f}100<",
            "the kernel grants &lt;small&gt; buffers",
            "Has not happened: <span title=\"Requests with a connection id that is too old, dropped.\">udp_stale_id</span></p>",
            "1 thing to look at",
            "receive buffers full",
        ] {
            assert!(html.contains(part), "{part} is not on the page");
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_the_script_carries_its_nonce() {
        let html = page(Range::Hour);
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("url("));
        assert_eq!(html.matches("<script").count(), 1);
        assert!(html.contains("<script nonce=\"4711\">"));
    }

    #[test]
    fn the_span_shown_is_marked() {
        assert!(page(Range::Day).contains("<a href=\"/?range=day\" class=\"now\" aria-current=\"true\">Day</a>"));
        assert!(page(Range::Hour).contains("<a href=\"/?range=hour\" class=\"now\" aria-current=\"true\">Hour</a>"));
    }

    #[test]
    fn every_element_is_closed() {
        let html = page(Range::Hour);
        for name in
            ["main", "header", "section", "div", "table", "tr", "td", "ul", "li", "svg", "nav", "footer", "span"]
        {
            let open = html.matches(&format!("<{name}>")).count() + html.matches(&format!("<{name} ")).count();
            assert_eq!(open, html.matches(&format!("</{name}>")).count(), "{name}");
        }
    }
}
