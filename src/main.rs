//! The command line.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(unix)]
    silence_wayland();
    cli::run()
}

/// A Vulkan layer of Mesa's asks a Wayland compositor for its GPU. Where XDG_RUNTIME_DIR is no path, libwayland says so
/// on stderr, twice; in a place where nobody answers it says nothing.
#[cfg(unix)]
fn silence_wayland() {
    if !std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| std::path::Path::new(&folder).is_absolute()) {
        // SAFETY: this is the only thread.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", "/dev/null") };
    }
}
