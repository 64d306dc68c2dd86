//! What stands at the other end of standard input and output: a person, or a program.

use clap::ValueEnum;
use std::io::IsTerminal;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The surroundings of a command.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether a person types.
    pub stdin: bool,
    /// Whether a person reads results.
    pub stdout: bool,
    /// Whether a person reads messages.
    pub stderr: bool,
    choice: ColorChoice,
}

impl Terminal {
    /// Looks at this process.
    pub fn detect(choice: ColorChoice) -> Terminal {
        Terminal {
            stdin: std::io::stdin().is_terminal(),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
            choice,
        }
    }

    /// Whether results may have colours.
    pub fn color_stdout(&self) -> bool {
        self.color(self.stdout)
    }

    /// Whether messages may have colours.
    pub fn color_stderr(&self) -> bool {
        self.color(self.stderr)
    }

    fn color(&self, terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self.choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto if set("CLICOLOR_FORCE") => true,
            ColorChoice::Auto => terminal,
        }
    }

    /// Columns of the terminal; none if results go elsewhere.
    pub fn width(&self) -> Option<usize> {
        let (width, _) = terminal_size::terminal_size().filter(|_| self.stdout)?;
        Some(usize::from(width.0).max(20))
    }
}
