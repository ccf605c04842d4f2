//! `roster completions`: prints a completion script for a shell.

use super::{CommandResult, print::print};

/// Print a completion script for a shell.
#[derive(clap::Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Prints the completions of `command`.
pub fn run(args: &CompletionsArgs, command: &clap::Command) -> CommandResult {
    print(completions(args.shell, command))
}

fn completions(shell: clap_complete::Shell, command: &clap::Command) -> Vec<u8> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command.clone(), name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap_complete::Shell;

    #[test]
    fn every_shell_gets_every_command() {
        let command = clap::Command::new("roster").subcommand(clap::Command::new("plan"));
        for shell in [
            Shell::Bash,
            Shell::Elvish,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Zsh,
        ] {
            let script = String::from_utf8(completions(shell, &command)).expect("text");
            assert!(
                script.contains("roster") && script.contains("plan"),
                "{shell}"
            );
        }
    }
}
