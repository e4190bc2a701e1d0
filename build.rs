//! Lists what is embedded: the shipped tours (`config/tours`) and the browser code (`web/dist`), both
//! committed. Nothing is built here, and nothing but Rust is needed.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut code = String::new();
    for (name, folder) in [("TOURS", "config/tours"), ("WEB", "web/dist")] {
        println!("cargo::rerun-if-changed={folder}");
        let folder = root.join(folder);
        let mut files = Vec::new();
        list(&folder, &mut files)?;
        files.sort();
        let doc = "/// Files by their paths.\n";
        let _ = writeln!(code, "{doc}pub static {name}: &[(&str, &[u8])] = &[");
        for path in files {
            let inner =
                path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            let _ =
                writeln!(code, "    ({inner:?}, include_bytes!({:?})),", path.to_string_lossy());
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("embedded.rs"), code)
}

/// All files below a folder, which may be missing; hidden ones are not meant.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
