//! The program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(stanch::cli::run(std::env::args_os()).code())
}
