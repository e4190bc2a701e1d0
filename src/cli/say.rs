//! What a command prints: results with [`say!`] on standard output, remarks with [`remark!`] on
//! standard error.
//!
//! `println!` panics once nobody reads any more, as after `passeur transfer list | head -1`. Here
//! that is [`Failure::Unread`]: the command ends with it as with any other, and `cli::run` says
//! nothing of it. A remark that cannot be written is left out.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// Prints a line to standard output, as `println!` does; the error is a [`Failure`].
macro_rules! say {
    ($($what:tt)*) => { $crate::cli::say::line(format_args!($($what)*)) };
}

/// Prints a line to standard error, as `eprintln!` does, if that can be.
macro_rules! remark {
    ($($what:tt)*) => { $crate::cli::say::aside(format_args!($($what)*)) };
}

pub(super) use {remark, say};

/// Why something could not be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Whoever read it has gone.
    #[error("nobody reads standard output any more")]
    Unread,
    #[error("failed to write to standard output")]
    Output(#[source] io::Error),
}

/// Prints text as it is.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    Ok(write(&mut io::stdout().lock(), format_args!("{text}"))?)
}

/// What [`say!`] does.
pub(super) fn line(line: Arguments<'_>) -> Result<(), Failure> {
    Ok(write(&mut io::stdout().lock(), format_args!("{line}\n"))?)
}

/// What [`remark!`] does.
pub(super) fn aside(line: Arguments<'_>) {
    let _nobody_reads = write(&mut io::stderr().lock(), format_args!("{line}\n"));
}

/// Nothing is kept back: whoever reads may wait for just this.
fn write(out: &mut impl Write, text: Arguments<'_>) -> io::Result<()> {
    out.write_fmt(text)?;
    out.flush()
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::Unread,
            _ => Failure::Output(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_any_more() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        write(&mut writer, format_args!("{}\n", 1)).expect("to be written");
        drop(reader);
        let failed = write(&mut writer, format_args!("{}\n", 2)).expect_err("nobody reads");
        assert!(matches!(Failure::from(failed), Failure::Unread));
        let full = io::Error::from(ErrorKind::StorageFull);
        assert!(matches!(Failure::from(full), Failure::Output(_)));
    }
}
