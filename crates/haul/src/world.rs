//! What a plan asks of the world beside the command line: standard input, the environment, a password typed.

use std::io::{self, BufRead};

/// The world, or a test's idea of it.
pub(crate) struct World<'a> {
    /// Standard input.
    pub(crate) stdin: &'a mut dyn BufRead,
    /// The value of HAUL_PASSWORD.
    pub(crate) password: Option<String>,
    /// Asks for a password at the terminal, without echo.
    pub(crate) ask: &'a dyn Fn(&str) -> io::Result<String>,
}

/// Calls `act` with the world as it is.
pub(crate) fn real<T>(act: impl FnOnce(&mut World<'_>) -> T) -> T {
    let mut stdin = io::stdin().lock();
    let password = std::env::var("HAUL_PASSWORD").ok();
    act(&mut World { stdin: &mut stdin, password, ask: &|prompt| rpassword::prompt_password(prompt) })
}
