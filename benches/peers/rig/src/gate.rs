//! Steps in time with the caller: it says when a stage may begin, so that counters are read between
//! stages. A caller that went away (standard input closed) ends the wait as well.

use std::io::{BufRead, Write};

/// Prints `line` and waits for a line, or the end, of standard input.
///
/// Blocks the thread on purpose: nothing may move while the caller reads counters.
pub fn wait(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}
