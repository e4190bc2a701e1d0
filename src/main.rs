//! The binary: hands the command line to [`passeur::cli`] and turns its answer into an exit code.

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    passeur::memory::without_huge_pages();
    passeur::cli::run()
}
