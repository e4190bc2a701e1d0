//! What is printed, where nobody reads it to its end.

use std::process::{Command, Stdio};

#[test]
fn a_command_ends_quietly_where_nobody_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("passeur.toml");
    std::fs::write(&config, "").expect("a file");
    let check = ["check", "--config", config.to_str().expect("a name")];
    for arguments in [&["tours", "check"][..], &check] {
        for remarks_too in [false, true] {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let stderr = match remarks_too {
                true => writer.try_clone().expect("a pipe").into(),
                false => Stdio::piped(),
            };
            let mut passeur = Command::new(env!("CARGO_BIN_EXE_passeur"));
            passeur.args(arguments).stdout(writer).stderr(stderr);
            let ended = passeur.spawn().and_then(|child| child.wait_with_output());
            let ended = ended.expect("to run");
            let remarks = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(141), "{arguments:?}: {remarks}");
            assert!(!remarks.contains("passeur: "), "{arguments:?}: {remarks}");
        }
    }
}
