//! Reading small files by the folder, where the instance packs archives (Nextcloud 31): one answer
//! for many files. Whatever is missing in it is read alone afterwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{Ends, Error, Source, file};

/// Files of one folder that are worth an archive.
const WORTH: usize = 3;

/// Those of the files that archives gave, by their path at the source.
pub(super) async fn read(
    ends: &Ends<'_>,
    files: &[&Source],
) -> Result<HashMap<String, Bytes>, Error> {
    let mut folders: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in files {
        let folder = source.from.rsplit_once('/').map_or("", |(folder, _)| folder);
        folders.entry(folder).or_default().push(source);
    }
    let mut all = HashMap::new();
    for (folder, files) in folders.into_iter().filter(|(_, files)| files.len() >= WORTH) {
        if ends.world.no_archives.load(Ordering::Relaxed) {
            break;
        }
        let path = file(&ends.giver.uid, folder)?;
        let names: Vec<(&str, u64)> = files.iter().map(|one| (name_of(one), one.size)).collect();
        if let Some(pace) = &ends.world.pace {
            pace.pass(files.iter().map(|one| one.size).sum()).await;
        }
        let mut rest = names.as_slice();
        // A question has room for so many names.
        while rest.len() >= WORTH {
            let archived = ends.from.archive(&path, rest).await?;
            if !archived.is_known {
                ends.world.no_archives.store(true, Ordering::Relaxed);
                break;
            }
            if archived.files.is_empty() {
                break;
            }
            let got = archived.files.len();
            let found = archived.files.into_iter();
            all.extend(found.map(|(name, bytes)| (format!("{folder}/{name}"), bytes)));
            rest = rest.get(got..).unwrap_or_default();
        }
    }
    Ok(all)
}

fn name_of(source: &Source) -> &str {
    source.from.rsplit('/').next().unwrap_or_default()
}
