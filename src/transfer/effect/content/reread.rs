//! Reading copies again where they are kept, where a person asked for that: the instance computes
//! the checksum of what it has on its disk, or, if it cannot, the copy is downloaded.

use super::single::sum_of;
use super::{Copied, Ends, Error, Proof, Source};

/// Says that a copy is what was read, or that it is not.
pub(super) async fn check(
    ends: &Ends<'_>,
    source: &Source,
    copied: Copied,
) -> Result<Copied, Error> {
    let sum = match &copied.sum {
        Some(sum) => sum.clone(),
        None => format!("SHA256:{}", sum_of(ends.read_file(source, None).await?.body).await?),
    };
    let (kind, wanted) = sum.split_once(':').unwrap_or(("SHA256", &sum));
    let target = ends.target(source)?;
    let is = match ends.to.recalculate(&target, kind).await? {
        Some(is) => is,
        None => {
            let wanted = sum_of(ends.read_file(source, None).await?.body).await?;
            let is = sum_of(ends.to.get(&target, None).await?.body).await?;
            return compared(source, copied, is == wanted);
        }
    };
    let is_same = is == wanted;
    compared(source, Copied { sum: Some(sum), ..copied }, is_same)
}

fn compared(source: &Source, copied: Copied, is_same: bool) -> Result<Copied, Error> {
    match is_same {
        true => Ok(Copied { proof: Proof::Reread, ..copied }),
        false => Err(Error::Mismatch(format!(
            "`{}` was read again, and has another checksum than `{}`",
            source.to, source.from
        ))),
    }
}
