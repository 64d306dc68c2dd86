//! The few colours that are used, or none.

use nu_ansi_term::{Color, Style};

/// What parts of the output look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    enabled: bool,
}

impl Palette {
    /// Colours if `enabled`.
    pub fn new(enabled: bool) -> Palette {
        Palette { enabled }
    }

    /// No colours.
    pub fn plain() -> Palette {
        Palette::new(false)
    }

    /// Whether there are colours.
    pub fn is_enabled(self) -> bool {
        self.enabled
    }

    /// Less important than the rest: NULL, lines, types, timings.
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Names of columns.
    pub fn head(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What went wrong.
    pub fn error(self, text: &str) -> String {
        self.paint(Style::new().bold().fg(Color::Red), text)
    }

    /// What to do, and what to take note of.
    pub fn note(self, text: &str) -> String {
        self.paint(Style::new().fg(Color::Yellow), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.enabled { style.paint(text).to_string() } else { text.to_owned() }
    }
}
