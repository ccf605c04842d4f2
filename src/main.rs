//! The `roster` program: parses the command line and hands over to the library.

use std::process::ExitCode;

/// A daemon lives long and now and then reads a whole directory. glibc would keep all of that memory.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    roster::cli::main(std::env::args_os())
}
