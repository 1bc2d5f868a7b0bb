//! The table, and what of it is not as promised.

use std::fmt;
use std::time::Duration;

use crate::load::Seen;

/// What became of one fault.
pub struct Cell {
    function: &'static str,
    way: &'static str,
    seen: Seen,
    /// Acknowledged keys that do not sign afterwards.
    lost: usize,
    /// Whether token and store do not agree in the end.
    quarrel: bool,
}

/// Every fault.
#[derive(Default)]
pub struct Report(Vec<Cell>);

impl Cell {
    /// One fault, with what callers saw and what was left.
    pub const fn new(function: &'static str, way: &'static str, seen: Seen, lost: usize, quarrel: bool) -> Self {
        Self { function, way, seen, lost, quarrel }
    }

    fn count(&self, which: impl Fn(u16) -> bool) -> usize {
        self.seen.statuses.iter().filter(|(status, _)| which(**status)).map(|(_, count)| count).sum()
    }
}

impl Report {
    /// More faults.
    pub fn add(&mut self, cells: Vec<Cell>) {
        self.0.extend(cells);
        self.0.sort_by_key(|cell| (cell.function, cell.way));
    }

    /// What is not as promised, in sentences.
    pub fn broken(&self, promised: Duration) -> Vec<String> {
        let mut broken = Vec::new();
        for cell in &self.0 {
            let name = format!("{} {}", cell.function, cell.way);
            match cell.seen.back {
                None => broken.push(format!("{name}: service never returned")),
                Some(back) if back > promised => broken.push(format!("{name}: back after {:.1} s", back.as_secs_f64())),
                Some(_) => {}
            }
            for (count, what) in [(cell.seen.wrong, "wrong signatures"), (cell.lost, "lost keys")] {
                if count > 0 {
                    broken.push(format!("{name}: {count} {what}"));
                }
            }
            if cell.quarrel {
                broken.push(format!("{name}: token and store do not agree"));
            }
            let odd = cell.count(|status| ![200, 201, 204, 503].contains(&status));
            if odd > 0 {
                broken.push(format!(
                    "{name}: {odd} answers that were none of 200, 201, 204, 503: {:?}",
                    cell.seen.statuses
                ));
            }
        }
        broken
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| function | fault | done | 503 | others | slowest answer | wrong | keys lost | orphans | full service after |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        for cell in &self.0 {
            let back = cell.seen.back.map_or_else(|| "never".to_owned(), |back| format!("{:.1} s", back.as_secs_f64()));
            writeln!(
                f,
                "| `{}` | {} | {} | {} | {} | {:.1} s | {} | {} | {} | {back} |",
                cell.function,
                cell.way,
                cell.count(|status| (200..300).contains(&status)),
                cell.count(|status| status == 503),
                cell.count(|status| status != 503 && !(200..300).contains(&status)),
                cell.seen.slowest.as_secs_f64(),
                cell.seen.wrong,
                cell.lost,
                if cell.quarrel { "yes" } else { "0" },
            )?;
        }
        Ok(())
    }
}
