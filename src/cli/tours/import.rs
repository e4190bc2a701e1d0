//! `passeur tours import-intros DIR --into DIR`.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::cli::say::{remark, say};
use crate::tours::intros;

/// Make tours of the files of Framasoft's app Intros
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The folder of the app's files: one of structure, and one of words for each language
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where to write the tours; nothing that is there is replaced
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let imported = intros::import(&self.folder)?;
        if imported.files.is_empty() {
            bail!("there is no tour of Intros in {}", self.folder.display());
        }
        for path in imported.files.keys() {
            if self.into.join(path).exists() {
                bail!("{} is there already", self.into.join(path).display());
            }
        }
        for (path, text) in &imported.files {
            let path = self.into.join(path);
            let folder = path.parent().unwrap_or(&self.into);
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, text))
                .with_context(|| format!("failed to write {}", path.display()))?;
            say!("{}", path.display())?;
        }
        for note in &imported.notes {
            remark!("{note}");
        }
        remark!("Look them through, then try: passeur tours check {}", self.into.display());
        Ok(())
    }
}
